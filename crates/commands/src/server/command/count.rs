//! COMMAND COUNT: how many commands there are, subcommands not counted.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::COMMAND;

/// `COMMAND COUNT`
pub struct Count;

impl Command for Count {
    const SPEC: Spec = Spec {
        name: "command|count",
        summary: "Counts the commands.",
        since: "2.8.13",
        arity: Arity(2),
        ..COMMAND
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let entries = ctx.node.table.entries().iter();
        reply.int(entries.filter(|entry| entry.spec.parent().is_none()).count() as i64);
        Ok(())
    }
}
