//! SELECT: which of the numbered databases the following commands work on.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_stdx::DbIndex;

use super::CONNECTION;

/// `SELECT index`
pub struct Select;

/// What a number that fits no machine integer is answered.
const NOT_INT: ReplyError =
    ReplyError::Text("ERR value is out of range, value must between -2147483648 and 2147483647");

impl Command for Select {
    const SPEC: Spec = Spec {
        name: "select",
        summary: "Changes the selected database.",
        since: "1.0.0",
        syntax: "index",
        arity: Arity(2),
        flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
        ..CONNECTION
    };

    type Args<'a> = i32;

    fn parse(args: &mut Args<'_>) -> Result<i32, ReplyError> {
        i32::try_from(args.int()?).map_err(|_| NOT_INT)
    }

    fn execute(index: i32, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let index = u16::try_from(index)
            .ok()
            .filter(|index| *index < ctx.keyspace.database_count())
            .ok_or(ReplyError::DbOutOfRange)?;
        ctx.session().db = DbIndex(index);
        reply.ok();
        Ok(())
    }
}
