//! EVAL, EVALSHA and their read-only forms: runs a script.

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec,
};
use stoa_engine::{Command, Ctx, OUT_OF_MEMORY, Reply, ScriptCall};
use stoa_scripting::{Flags as Says, Found, Sha};

use super::{SCRIPTING, Words, keys_and_args};

const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";
pub(super) const WRITES: &str = "ERR Can not execute a script with write flag using *_ro command.";

/// Keys behind their count; what is done with them is not known beforehand.
pub(super) const KEYS: &[KeySpec] =
    &[counted(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))];
pub(super) const KEYS_RO: &[KeySpec] = &[counted(KeyFlags::RO.with(KeyFlags::ACCESS))];

const fn counted(flags: KeyFlags) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Index(2),
        find: FindKeys::Count { num: 0, first: 1, step: 1 },
        flags,
    }
}

/// Flags of what runs scripts.
pub(super) const RUNS: Flags = Flags::NOSCRIPT
    .with(Flags::STALE)
    .with(Flags::SKIP_MONITOR)
    .with(Flags::NO_MANDATORY_KEYS)
    .with(Flags::MOVABLE_KEYS);

const EVAL: Spec = Spec {
    name: "eval",
    summary: "Runs a script.",
    since: "2.6.0",
    complexity: "That of the script.",
    syntax: "script numkeys:integer [key...] [arg...]",
    arity: Arity(-3),
    flags: RUNS,
    keys: KEYS,
    ..SCRIPTING
};

/// Runs a script that was found, unless it says that it writes and must not.
pub(super) fn run(
    found: &Found,
    call: ScriptCall<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let says_no_more = found.flags.has(Says::COMPAT) || found.flags.has(Says::NO_WRITES);
    if call.read_only && !says_no_more {
        return Err(ReplyError::Text(WRITES));
    }
    // One that says what it does is refused as a whole.
    if ctx.node.is_out_of_memory() && !says_no_more && !found.flags.has(Says::ALLOW_OOM) {
        return Err(ReplyError::Text(OUT_OF_MEMORY));
    }
    ctx.run_script(found, call, reply);
    Ok(())
}

/// What runs which script.
pub struct Request<'a> {
    script: &'a [u8],
    keys: Words<'a>,
    argv: Words<'a>,
}

impl<'a> Request<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let script = args.bytes()?;
        let (keys, argv) = keys_and_args(args, ReplyError::NotInteger)?;
        Ok(Self { script, keys, argv })
    }

    fn parse_sha(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        if args.peek().is_some_and(|sha| sha.len() != 40) {
            return Err(ReplyError::Text(NO_SCRIPT));
        }
        Self::parse(args)
    }

    fn eval(
        self,
        read_only: bool,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        match ctx.script(self.script) {
            Ok(None) => Ok(()),
            Ok(Some(found)) => run(&found, self.call(read_only), ctx, reply),
            Err(text) => {
                reply.error_text(&text);
                Ok(())
            }
        }
    }

    fn eval_sha(
        self,
        read_only: bool,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let scripting = &mut ctx.node.scripts.scripting;
        let found = Sha::parse(self.script).and_then(|sha| scripting.script_by_sha(&sha));
        let found = found.ok_or(ReplyError::Text(NO_SCRIPT))?;
        run(&found, self.call(read_only), ctx, reply)
    }

    const fn call(&self, read_only: bool) -> ScriptCall<'a> {
        ScriptCall { keys: self.keys, argv: self.argv, read_only }
    }
}

macro_rules! runs {
    ($name:ident, $doc:literal, $parse:ident, $execute:ident, $read_only:literal, $spec:expr) => {
        #[doc = $doc]
        pub struct $name;

        impl Command for $name {
            const SPEC: Spec = $spec;
            type Args<'a> = Request<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
                Request::$parse(args)
            }

            fn execute(
                request: Request<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                request.$execute($read_only, ctx, reply)
            }
        }
    };
}

runs! { Eval, "`EVAL script numkeys [key ...] [arg ...]`", parse, eval, false, EVAL }

runs! { EvalRo, "`EVAL_RO script numkeys [key ...] [arg ...]`", parse, eval, true, Spec {
    name: "eval_ro",
    summary: "Runs a script that does not write.",
    since: "7.0.0",
    flags: RUNS.with(Flags::READONLY),
    keys: KEYS_RO,
    ..EVAL
} }

runs! { EvalSha, "`EVALSHA sha1 numkeys [key ...] [arg ...]`", parse_sha, eval_sha, false, Spec {
    name: "evalsha",
    summary: "Runs a script that was run or loaded before, by its SHA-1.",
    syntax: "sha1 numkeys:integer [key...] [arg...]",
    ..EVAL
} }

runs! { EvalShaRo, "`EVALSHA_RO sha1 numkeys [key ...] [arg ...]`", parse_sha, eval_sha, true, Spec {
    name: "evalsha_ro",
    summary: "Runs a script that does not write, by its SHA-1.",
    since: "7.0.0",
    flags: RUNS.with(Flags::READONLY),
    keys: KEYS_RO,
    syntax: "sha1 numkeys:integer [key...] [arg...]",
    ..EVAL
} }
