//! WATCH and UNWATCH: keys whose change makes the next EXEC do nothing.

use stoa_command::{
    Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Order, Reply};

use super::TRANSACTION;

/// `WATCH key [key ...]`
pub struct Watch;

impl Command for Watch {
    const SPEC: Spec = Spec {
        name: "watch",
        summary: "Makes the next EXEC depend on keys staying as they are.",
        since: "2.2.0",
        complexity: "O(1) for every key.",
        syntax: "key...",
        arity: Arity(-2),
        flags: TRANSACTION.flags.with(Flags::FAST).with(Flags::ALLOW_BUSY).with(Flags::IMMEDIATE),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        request: RequestPolicy::Watch,
        response: ResponsePolicy::AllSucceeded,
        ..TRANSACTION
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [&'a [u8]], ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let session = ctx.session();
        if session.multi.is_some() {
            return Err(ReplyError::Text("ERR WATCH inside MULTI is not allowed"));
        }
        let (client, db) = (session.id, session.db);
        for key in keys {
            let key = ctx.key(key);
            ctx.keyspace.watch(client, db, &key, ctx.now);
        }
        reply.ok();
        Ok(())
    }
}

/// `UNWATCH`
pub struct Unwatch;

impl Command for Unwatch {
    const SPEC: Spec = Spec {
        name: "unwatch",
        summary: "Forgets all watched keys.",
        since: "2.2.0",
        complexity: "O(1)",
        arity: Arity(1),
        flags: TRANSACTION.flags.with(Flags::FAST).with(Flags::ALLOW_BUSY),
        ..TRANSACTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let conn = ctx.session().conn;
        ctx.node.orders.push(Order::Unwatch(conn));
        reply.ok();
        Ok(())
    }
}
