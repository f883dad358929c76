//! QUIT and RESET: the end of a connection, and its beginning again.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Order, Proto, Reply, ReplyMode};
use stoa_stdx::DbIndex;

use super::{ALWAYS, CONNECTION};

/// `QUIT`
pub struct Quit;

impl Command for Quit {
    const SPEC: Spec = Spec {
        name: "quit",
        deprecated: Some(("7.2.0", "just closing the connection")),
        summary: "Closes the connection.",
        since: "1.0.0",
        arity: Arity(-1),
        flags: ALWAYS.with(Flags::IMMEDIATE).with(Flags::IN_SUBSCRIBED),
        ..CONNECTION
    };

    type Args<'a> = ();

    fn parse(args: &mut Args<'_>) -> Result<(), ReplyError> {
        // Arguments were never refused, and clients may send some.
        args.rest();
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.session().closing = true;
        reply.ok();
        Ok(())
    }
}

/// `RESET`
pub struct Reset;

impl Command for Reset {
    const SPEC: Spec = Spec {
        name: "reset",
        summary: "Puts the connection back into the state it began in.",
        since: "6.2.0",
        arity: Arity(1),
        flags: ALWAYS.with(Flags::IMMEDIATE).with(Flags::IN_SUBSCRIBED),
        ..CONNECTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.unsubscribe_all();
        ctx.untrack_client();
        let open = ctx.node.config.requirepass.is_none();
        let conn = ctx.session().conn;
        ctx.node.orders.push(Order::Unwatch(conn));
        let session = ctx.session();
        session.multi = None;
        session.db = DbIndex(0);
        session.proto = Proto::Resp2;
        session.authenticated = open;
        session.name = Box::default();
        // Its own reply is still skipped if that was asked for, as in the reference.
        if session.reply_mode != ReplyMode::SkipThis {
            session.reply_mode = ReplyMode::On;
        }
        session.no_touch = false;
        session.no_evict = false;
        reply.set_proto(Proto::Resp2);
        reply.simple("RESET");
        Ok(())
    }
}
