//! CLIENT UNBLOCK: ends the wait of a blocked client.
//!
//! No command here blocks yet, so nobody is ever found waiting, and the answer is 0.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::OPERATOR;

const BAD_REASON: ReplyError =
    ReplyError::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
const TOO_MANY: ReplyError = ReplyError::Text(
    "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
);

/// `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
pub struct Unblock;

impl Command for Unblock {
    const SPEC: Spec = Spec {
        name: "client|unblock",
        summary: "Ends the wait of a client that is blocked.",
        since: "5.0.0",
        complexity: "O(log N) for N connections",
        syntax: "client-id:integer [unblock-type: TIMEOUT | ERROR]",
        arity: Arity(-3),
        ..OPERATOR
    };

    type Args<'a> = i64;

    fn parse(args: &mut Args<'_>) -> Result<i64, ReplyError> {
        let id = args.bytes()?;
        if args.left() > 1 {
            return Err(TOO_MANY);
        }
        if args.left() == 1 {
            args.choice(&[("TIMEOUT", ()), ("ERROR", ())]).map_err(|_| BAD_REASON)?;
        }
        stoa_command::parse_int(id).ok_or(ReplyError::NotInteger)
    }

    fn execute(_: i64, _: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(0);
        Ok(())
    }
}
