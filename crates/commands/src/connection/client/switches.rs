//! CLIENT NO-EVICT and NO-TOUCH: what this connection is spared, and what it leaves no trace of.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::OPERATOR;
use crate::connection::CONNECTION;

fn on_or_off(args: &mut Args<'_>) -> Result<bool, ReplyError> {
    args.choice(&[("ON", true), ("OFF", false)])
}

/// `CLIENT NO-EVICT ON | OFF`
pub struct NoEvict;

impl Command for NoEvict {
    const SPEC: Spec = Spec {
        name: "client|no-evict",
        summary: "Spares this connection when connections are closed for memory.",
        since: "7.0.0",
        syntax: "(enabled: ON | OFF)",
        arity: Arity(3),
        ..OPERATOR
    };

    type Args<'a> = bool;

    fn parse(args: &mut Args<'_>) -> Result<bool, ReplyError> {
        on_or_off(args)
    }

    fn execute(on: bool, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.session().no_evict = on;
        reply.ok();
        Ok(())
    }
}

/// `CLIENT NO-TOUCH ON | OFF`
pub struct NoTouch;

impl Command for NoTouch {
    const SPEC: Spec = Spec {
        name: "client|no-touch",
        summary: "Lets reads of this connection leave the access clocks of keys alone.",
        since: "7.2.0",
        syntax: "(enabled: ON | OFF)",
        arity: Arity(3),
        ..CONNECTION
    };

    type Args<'a> = bool;

    fn parse(args: &mut Args<'_>) -> Result<bool, ReplyError> {
        on_or_off(args)
    }

    fn execute(on: bool, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.session().no_touch = on;
        reply.ok();
        Ok(())
    }
}
