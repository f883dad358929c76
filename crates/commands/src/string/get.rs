//! GET: the value of a string.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_keyspace::Str;

use crate::wrong_type;

/// `GET key`
pub struct Get;

impl Command for Get {
    const SPEC: Spec = Spec {
        name: "get",
        summary: "Returns the string value of a key.",
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::READONLY.with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        match ctx.db().get(&key) {
            None => reply.null(),
            Some(entry) => match entry.string().map_err(wrong_type)? {
                Str::Bytes(bytes) => reply.bulk(bytes),
                Str::Int(value) => reply.bulk(itoa::Buffer::new().format(value).as_bytes()),
            },
        }
        Ok(())
    }
}
