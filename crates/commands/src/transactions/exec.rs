//! EXEC and DISCARD: the end of a transaction.
//!
//! What EXEC runs is queued at the client's shard, which finds out where its keys are and brings it
//! together with them; this command only answers when there is nothing to run.

use stoa_command::{Args, Arity, Flags, ReplyError, RequestPolicy, Spec};
use stoa_engine::{Command, Ctx, Order, Reply};

use super::TRANSACTION;

/// `EXEC`
pub struct Exec;

impl Command for Exec {
    const SPEC: Spec = Spec {
        name: "exec",
        summary: "Runs the queued commands, unless a watched key changed.",
        since: "1.2.0",
        complexity: "That of the queued commands.",
        arity: Arity(1),
        flags: TRANSACTION.flags.with(Flags::SKIP_SLOWLOG).with(Flags::IMMEDIATE),
        request: RequestPolicy::Exec,
        ..TRANSACTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, _: &mut dyn Reply) -> Result<(), ReplyError> {
        const NOTHING: ReplyError = ReplyError::Text("ERR EXEC without MULTI");
        const ABORTED: ReplyError =
            ReplyError::Text("EXECABORT Transaction discarded because of previous errors.");
        let error = if ctx.session().multi.is_some() { ABORTED } else { NOTHING };
        end(ctx);
        Err(error)
    }
}

/// `DISCARD`
pub struct Discard;

impl Command for Discard {
    const SPEC: Spec = Spec {
        name: "discard",
        summary: "Forgets the queued commands and all watched keys.",
        since: "2.0.0",
        complexity: "O(N), N commands in the queue.",
        arity: Arity(1),
        flags: TRANSACTION.flags.with(Flags::FAST).with(Flags::ALLOW_BUSY).with(Flags::IMMEDIATE),
        ..TRANSACTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        if ctx.session().multi.is_none() {
            return Err(ReplyError::Text("ERR DISCARD without MULTI"));
        }
        end(ctx);
        reply.ok();
        Ok(())
    }
}

/// Ends the transaction, if there is one, with all that was watched for it.
fn end(ctx: &mut Ctx<'_>) {
    let session = ctx.session();
    if session.multi.take().is_some() {
        let conn = session.conn;
        ctx.node.orders.push(Order::Unwatch(conn));
    }
}
