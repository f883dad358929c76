//! CLIENT UNBLOCK: ends the wait of a blocked client.

use stoa_command::{Args, Arity, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::{Command, Ctx, Order, Reply};

use super::OPERATOR;

const BAD_REASON: ReplyError =
    ReplyError::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
const TOO_MANY: ReplyError = ReplyError::Text(
    "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
);

/// `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
pub struct Unblock;

/// Whose wait to end, and how.
pub struct UnblockArgs {
    id: i64,
    error: bool,
}

impl Command for Unblock {
    const SPEC: Spec = Spec {
        name: "client|unblock",
        summary: "Ends the wait of a client that is blocked.",
        since: "5.0.0",
        complexity: "O(log N) for N connections",
        syntax: "client-id:integer [unblock-type: TIMEOUT | ERROR]",
        arity: Arity(-3),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Sum,
        ..OPERATOR
    };

    type Args<'a> = UnblockArgs;

    fn parse(args: &mut Args<'_>) -> Result<UnblockArgs, ReplyError> {
        let id = args.bytes()?;
        if args.left() > 1 {
            return Err(TOO_MANY);
        }
        let mut error = false;
        if args.left() == 1 {
            let reasons = &[("TIMEOUT", false), ("ERROR", true)];
            error = args.choice(reasons).map_err(|_| BAD_REASON)?;
        }
        Ok(UnblockArgs { id: stoa_command::parse_int(id).ok_or(ReplyError::NotInteger)?, error })
    }

    fn execute(
        args: UnblockArgs,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let UnblockArgs { id, error } = args;
        let found = ctx.sessions.iter().find(|session| session.blocked && session.id as i64 == id);
        let conn = found.map(|session| session.conn);
        if let Some(conn) = conn {
            ctx.node.orders.push(Order::Unblock { conn, error });
        }
        reply.int(i64::from(conn.is_some()));
        Ok(())
    }
}
