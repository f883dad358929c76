//! CLIENT PAUSE and UNPAUSE: holds back commands for a while, for a failover.

use stoa_command::{Args, Arity, ReplyError, RequestPolicy, ResponsePolicy, Spec, parse_int};
use stoa_engine::{Command, Ctx, Order, PauseMode, Reply};
use stoa_stdx::MonoMs;

use super::OPERATOR;

const BAD_MODE: ReplyError = ReplyError::Text("ERR CLIENT PAUSE mode must be WRITE or ALL");
const NOT_INTEGER: ReplyError = ReplyError::Text("ERR timeout is not an integer or out of range");
const NEGATIVE: ReplyError = ReplyError::Text("ERR timeout is negative");
const TOO_LONG: ReplyError = ReplyError::Text("ERR timeout is out of range");
const TOO_MANY: ReplyError = ReplyError::Text(
    "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
);

/// `CLIENT PAUSE timeout [WRITE | ALL]`
pub struct Pause;

impl Command for Pause {
    const SPEC: Spec = Spec {
        name: "client|pause",
        summary: "Holds back commands of all clients for some milliseconds.",
        since: "3.0.0",
        syntax: "timeout:integer [mode: WRITE | ALL]",
        arity: Arity(-3),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        ..OPERATOR
    };

    type Args<'a> = (PauseMode, u64);

    fn parse(args: &mut Args<'_>) -> Result<Self::Args<'static>, ReplyError> {
        let timeout = args.bytes()?;
        let mode = if args.left() == 0 {
            PauseMode::All
        } else {
            let modes = [("WRITE", PauseMode::Write), ("ALL", PauseMode::All)];
            if args.left() > 1 {
                return Err(TOO_MANY);
            }
            args.choice(&modes).map_err(|_| BAD_MODE)?
        };
        let timeout = parse_int(timeout).ok_or(NOT_INTEGER)?;
        Ok((mode, u64::try_from(timeout).map_err(|_| NEGATIVE)?))
    }

    fn execute(
        (mode, timeout_ms): Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if timeout_ms > i64::MAX as u64 - ctx.now.0 {
            return Err(TOO_LONG);
        }
        let until = MonoMs(ctx.mono.0.saturating_add(timeout_ms));
        ctx.node.orders.push(Order::Pause { mode, until });
        reply.ok();
        Ok(())
    }
}

/// `CLIENT UNPAUSE`
pub struct Unpause;

impl Command for Unpause {
    const SPEC: Spec = Spec {
        name: "client|unpause",
        summary: "Ends a pause of clients.",
        since: "6.2.0",
        complexity: "O(N) for N clients held back",
        arity: Arity(2),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        ..OPERATOR
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.node.orders.push(Order::Unpause);
        reply.ok();
        Ok(())
    }
}
