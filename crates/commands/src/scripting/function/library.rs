//! FUNCTION LOAD, DELETE and FLUSH.

use stoa_command::{Args, Arity, Flags, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::{FUNCTION, changed};
use crate::scripting::ALL_SHARDS;

const WRITES: Spec = Spec {
    flags: Flags::NOSCRIPT.with(Flags::WRITE),
    request: RequestPolicy::AllShards,
    response: ResponsePolicy::AllSucceeded,
    tips: ALL_SHARDS,
    ..FUNCTION
};

/// `FUNCTION LOAD [REPLACE] code`
pub struct Load;

/// What to load.
pub struct Code<'a> {
    replace: bool,
    /// An option that there is none of.
    unknown: Option<&'a [u8]>,
    code: &'a [u8],
}

impl Command for Load {
    const SPEC: Spec = Spec {
        name: "function|load",
        summary: "Loads a library; answers its name.",
        complexity: "O(1) besides compiling it",
        syntax: "[REPLACE] function-code",
        arity: Arity(-3),
        flags: Flags::NOSCRIPT.with(Flags::WRITE).with(Flags::DENYOOM),
        ..WRITES
    };
    type Args<'a> = Code<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Code<'a>, ReplyError> {
        let mut replace = false;
        while args.left() > 1 {
            if args.word("REPLACE") {
                replace = true;
                continue;
            }
            return Ok(Code { replace, unknown: Some(args.bytes()?), code: b"" });
        }
        Ok(Code { replace, unknown: None, code: args.bytes()? })
    }

    fn execute(
        Code { replace, unknown, code }: Code<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if let Some(word) = unknown {
            reply.error_echo("ERR Unknown option given: ", word, "");
            return Ok(());
        }
        match ctx.load_library(code, replace) {
            Ok(name) => {
                changed(ctx);
                reply.bulk(&name);
            }
            Err(text) => reply.error_text(&text),
        }
        Ok(())
    }
}

/// `FUNCTION DELETE library-name`
pub struct Delete;

impl Command for Delete {
    const SPEC: Spec = Spec {
        name: "function|delete",
        summary: "Removes a library with its functions.",
        syntax: "library-name",
        arity: Arity(3),
        ..WRITES
    };
    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(name: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        if !ctx.node.scripts.scripting.delete_library(name) {
            return Err(ReplyError::Text("ERR Library not found"));
        }
        changed(ctx);
        reply.ok();
        Ok(())
    }
}

/// `FUNCTION FLUSH [ASYNC | SYNC]`
pub struct Flush;

impl Command for Flush {
    const SPEC: Spec = Spec {
        name: "function|flush",
        summary: "Removes all libraries.",
        complexity: "O(N) for N functions",
        syntax: "[flush-type: ASYNC | SYNC]",
        arity: Arity(-2),
        ..WRITES
    };
    type Args<'a> = ();

    fn parse(args: &mut Args<'_>) -> Result<(), ReplyError> {
        if args.left() > 1 {
            return Err(ReplyError::Text(
                "ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP.",
            ));
        }
        if args.left() == 1 {
            args.choice(&[("SYNC", ()), ("ASYNC", ())]).map_err(|_| {
                ReplyError::Text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
            })?;
        }
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.node.scripts.scripting.flush_libraries();
        changed(ctx);
        reply.ok();
        Ok(())
    }
}
