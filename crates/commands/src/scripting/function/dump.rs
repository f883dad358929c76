//! FUNCTION DUMP and FUNCTION RESTORE: all libraries as one string of bytes.

use stoa_command::{Args, Arity, Flags, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_scripting::{Policy, dump};

use super::{FUNCTION, changed};
use crate::scripting::ALL_SHARDS;

/// `FUNCTION DUMP`
pub struct Dump;

impl Command for Dump {
    const SPEC: Spec = Spec {
        name: "function|dump",
        summary: "Answers all libraries as one string of bytes.",
        complexity: "O(N) for N functions",
        arity: Arity(2),
        ..FUNCTION
    };
    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let libraries = ctx.node.scripts.scripting.libraries();
        reply.bulk(&dump::write(libraries.iter().map(|library| library.code.as_slice())));
        Ok(())
    }
}

/// `FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]`
pub struct Restore;

impl Command for Restore {
    const SPEC: Spec = Spec {
        name: "function|restore",
        summary: "Loads all libraries of a dump, or none.",
        complexity: "O(N) for N functions",
        syntax: "serialized-value [policy: FLUSH | APPEND | REPLACE]",
        arity: Arity(-3),
        flags: Flags::NOSCRIPT.with(Flags::WRITE).with(Flags::DENYOOM),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        tips: ALL_SHARDS,
        ..FUNCTION
    };
    type Args<'a> = (&'a [u8], Policy);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        if args.left() > 2 {
            return Err(ReplyError::Text(
                "ERR unknown subcommand or wrong number of arguments for 'restore'. Try FUNCTION HELP.",
            ));
        }
        let payload = args.bytes()?;
        let policies =
            [("FLUSH", Policy::Flush), ("APPEND", Policy::Append), ("REPLACE", Policy::Replace)];
        let policy = if args.left() == 0 {
            Policy::Append
        } else {
            args.choice(&policies).map_err(|_| {
                ReplyError::Text(
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
                )
            })?
        };
        Ok((payload, policy))
    }

    fn execute(
        (payload, policy): Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        match ctx.restore_libraries(payload, policy) {
            Ok(()) => {
                changed(ctx);
                reply.ok();
            }
            Err(text) => reply.error_text(&text),
        }
        Ok(())
    }
}
