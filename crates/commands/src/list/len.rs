//! LLEN: how many elements a list has.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::List;

/// `LLEN key`
pub struct LLen;

impl Command for LLen {
    const SPEC: Spec = Spec {
        name: "llen",
        summary: "Returns how many elements a list has.",
        complexity: "O(1)",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::READONLY.with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RO)],
        ..super::LIST
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(ctx.read::<List>(key)?.map_or(0, List::len) as i64);
        Ok(())
    }
}
