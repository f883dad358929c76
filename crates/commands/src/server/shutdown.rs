//! SHUTDOWN: ends the server once what is owed to clients is sent.

use stoa_command::{Args, Arity, Flags, Group, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Order, Reply, ShutdownMode};

use super::ADMIN;

const NONE_IN_PROGRESS: ReplyError = ReplyError::Text("ERR No shutdown in progress.");
const CANNOT_SAVE: ReplyError = ReplyError::Text(
    "ERR Errors trying to SHUTDOWN: this server writes no snapshots yet. Use SHUTDOWN NOSAVE, or add \
     FORCE to lose the data.",
);

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
pub struct Shutdown;

/// What was asked for.
pub enum Wish {
    /// End.
    End(ShutdownMode),
    /// Do not end after all.
    Abort,
}

impl Command for Shutdown {
    const SPEC: Spec = Spec {
        name: "shutdown",
        summary: "Ends the server.",
        since: "1.0.0",
        group: Group::Server,
        syntax: "[save-selector: NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
        arity: Arity(-1),
        flags: ADMIN.with(Flags::NO_MULTI).with(Flags::ALLOW_BUSY),
        ..Spec::DEFAULT
    };

    type Args<'a> = Wish;

    fn parse(args: &mut Args<'_>) -> Result<Wish, ReplyError> {
        let mut mode = ShutdownMode::default();
        let mut abort = false;
        while args.left() > 0 {
            if args.word("NOSAVE") && mode.save != Some(true) {
                mode.save = Some(false);
            } else if args.word("SAVE") && mode.save != Some(false) {
                mode.save = Some(true);
            } else if args.word("NOW") {
                mode.now = true;
            } else if args.word("FORCE") {
                mode.force = true;
            } else if args.word("ABORT") {
                abort = true;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        match (abort, mode == ShutdownMode::default()) {
            (false, _) => Ok(Wish::End(mode)),
            (true, true) => Ok(Wish::Abort),
            (true, false) => Err(ReplyError::Syntax),
        }
    }

    fn execute(wish: Wish, ctx: &mut Ctx<'_>, _: &mut dyn Reply) -> Result<(), ReplyError> {
        match wish {
            // It never waits for replicas, so none is ever under way.
            Wish::Abort => Err(NONE_IN_PROGRESS),
            Wish::End(ShutdownMode { save: Some(true), force: false, .. }) => Err(CANNOT_SAVE),
            Wish::End(mode) => {
                if mode.save != Some(false)
                    && let Some(busy) = ctx.node.facts.scripts.refusal()
                {
                    return Err(ReplyError::Text(busy));
                }
                // Success is that the connection ends: there is no answer.
                ctx.node.orders.push(Order::Shutdown(mode));
                Ok(())
            }
        }
    }
}
