//! CLIENT ID: the number of this connection, never used again.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use crate::connection::CONNECTION;

/// `CLIENT ID`
pub struct Id;

impl Command for Id {
    const SPEC: Spec = Spec {
        name: "client|id",
        summary: "Answers the number of this connection.",
        since: "5.0.0",
        arity: Arity(2),
        ..CONNECTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(ctx.session().id as i64);
        Ok(())
    }
}
