//! FCALL and FCALL_RO: runs a function of a library.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply, ScriptCall};

use super::eval::{KEYS, KEYS_RO, RUNS, run};
use super::{SCRIPTING, Words, keys_and_args};

const FCALL: Spec = Spec {
    name: "fcall",
    summary: "Runs a function.",
    since: "7.0.0",
    complexity: "That of the function.",
    syntax: "function numkeys:integer [key...] [arg...]",
    arity: Arity(-3),
    flags: RUNS,
    keys: KEYS,
    ..SCRIPTING
};

/// Which function, and with what: whether it is there is asked before the count of keys is.
pub struct Request<'a> {
    function: &'a [u8],
    words: Result<(Words<'a>, Words<'a>), ReplyError>,
}

impl<'a> Request<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let function = args.bytes()?;
        let words = keys_and_args(args, ReplyError::Text("ERR Bad number of keys provided"));
        Ok(Self { function, words })
    }

    fn execute(
        self,
        read_only: bool,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let found = ctx.node.scripts.scripting.function(self.function);
        let found = found.ok_or(ReplyError::Text("ERR Function not found"))?;
        let (keys, argv) = self.words?;
        run(&found, ScriptCall { keys, argv, read_only }, ctx, reply)
    }
}

/// `FCALL function numkeys [key ...] [arg ...]`
pub struct Fcall;

impl Command for Fcall {
    const SPEC: Spec = FCALL;
    type Args<'a> = Request<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Request::parse(args)
    }

    fn execute(
        request: Request<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        request.execute(false, ctx, reply)
    }
}

/// `FCALL_RO function numkeys [key ...] [arg ...]`
pub struct FcallRo;

impl Command for FcallRo {
    const SPEC: Spec = Spec {
        name: "fcall_ro",
        summary: "Runs a function that does not write.",
        flags: RUNS.with(Flags::READONLY),
        keys: KEYS_RO,
        ..FCALL
    };
    type Args<'a> = Request<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Request::parse(args)
    }

    fn execute(
        request: Request<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        request.execute(true, ctx, reply)
    }
}
