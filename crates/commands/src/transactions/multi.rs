//! MULTI: what follows is queued.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::TRANSACTION;

/// `MULTI`
pub struct MultiCommand;

impl Command for MultiCommand {
    const SPEC: Spec = Spec {
        name: "multi",
        summary: "Begins a transaction: the commands that follow are queued.",
        since: "1.2.0",
        complexity: "O(1)",
        arity: Arity(1),
        flags: TRANSACTION.flags.with(Flags::FAST).with(Flags::ALLOW_BUSY).with(Flags::IMMEDIATE),
        ..TRANSACTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let session = ctx.session();
        if session.multi.is_some() {
            return Err(ReplyError::Text("ERR MULTI calls can not be nested"));
        }
        session.multi = Some(Box::default());
        reply.ok();
        Ok(())
    }
}
