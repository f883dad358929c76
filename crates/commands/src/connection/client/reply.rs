//! CLIENT REPLY: whether this connection wants answers.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply, ReplyMode};

use crate::connection::CONNECTION;

/// `CLIENT REPLY ON | OFF | SKIP`
pub struct SetReply;

impl Command for SetReply {
    const SPEC: Spec = Spec {
        name: "client|reply",
        summary: "Switches answers on, off, or off for the next command.",
        since: "3.2.0",
        syntax: "(action: ON | OFF | SKIP)",
        arity: Arity(3),
        ..CONNECTION
    };

    type Args<'a> = ReplyMode;

    fn parse(args: &mut Args<'_>) -> Result<ReplyMode, ReplyError> {
        args.choice(&[
            ("ON", ReplyMode::On),
            ("OFF", ReplyMode::Off),
            ("SKIP", ReplyMode::SkipNext),
        ])
    }

    fn execute(
        wanted: ReplyMode,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let session = ctx.session();
        // Who hears nothing at all has nothing to skip.
        if (wanted, session.reply_mode) != (ReplyMode::SkipNext, ReplyMode::Off) {
            session.reply_mode = wanted;
        }
        if wanted == ReplyMode::On {
            reply.ok();
        }
        Ok(())
    }
}
