//! STRLEN: how long a string is.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use crate::wrong_type;

/// `STRLEN key`
pub struct StrLen;

impl Command for StrLen {
    const SPEC: Spec = Spec {
        name: "strlen",
        summary: "Answers the length of a string.",
        since: "2.2.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::READONLY.with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RO)],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        let len = match ctx.db().get(&key) {
            Some(entry) => entry.string().map_err(wrong_type)?.len(),
            None => 0,
        };
        reply.int(len as i64);
        Ok(())
    }
}
