//! SCRIPT: the scripts that the server keeps.
//!
//! Each shard keeps its own compiled copy of every script; all are told of each.

use stoa_command::{Args, Arity, Flags, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::{Command, Ctx, Part, Reply};
use stoa_scripting::Sha;

use super::{ONE_OF_ALL, SCRIPTING, Words};

/// Tips of what is done on every node.
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const FLUSH_MODE: ReplyError = ReplyError::Text("ERR SCRIPT FLUSH only support SYNC|ASYNC option");

/// `SCRIPT LOAD script`
pub struct Load;

impl Command for Load {
    const SPEC: Spec = Spec {
        name: "script|load",
        summary: "Keeps a script; answers its SHA-1.",
        since: "2.6.0",
        complexity: "O(N) for a script of N bytes",
        syntax: "script",
        arity: Arity(3),
        flags: Flags::NOSCRIPT.with(Flags::STALE),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        tips: ALL_NODES,
        ..SCRIPTING
    };
    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(text: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        match ctx.node.scripts.scripting.load_script(text) {
            Ok(sha) => reply.bulk(&sha.hex()),
            Err(text) => reply.error_text(&text),
        }
        Ok(())
    }
}

/// `SCRIPT EXISTS sha1 [sha1 ...]`
pub struct Exists;

impl Command for Exists {
    const SPEC: Spec = Spec {
        name: "script|exists",
        summary: "Says which scripts the server has.",
        since: "2.6.0",
        complexity: "O(N) for N scripts",
        syntax: "sha1...",
        arity: Arity(-3),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        ..SCRIPTING
    };
    type Args<'a> = Words<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Words<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(_: Words<'_>, _: &mut Ctx<'_>, _: &mut dyn Reply) -> Result<(), ReplyError> {
        unreachable!("it is asked of all shards")
    }

    fn collect(shas: Words<'_>, ctx: &mut Ctx<'_>) -> Part {
        let scripting = &ctx.node.scripts.scripting;
        let has = |sha: &&[u8]| Sha::parse(sha).is_some_and(|sha| scripting.has_script(&sha));
        Box::new(shas.iter().map(has).collect::<Vec<bool>>())
    }

    fn merge(
        shas: Words<'_>,
        parts: Vec<Part>,
        _: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        reply.array(shas.len());
        for at in 0..shas.len() {
            let has = |part: &Part| part.downcast_ref::<Vec<bool>>().is_some_and(|all| all[at]);
            reply.int(parts.iter().any(has).into());
        }
        Ok(())
    }
}

/// `SCRIPT FLUSH [ASYNC | SYNC]`
pub struct Flush;

impl Command for Flush {
    const SPEC: Spec = Spec {
        name: "script|flush",
        summary: "Forgets all scripts.",
        since: "2.6.0",
        complexity: "O(N) for N scripts",
        syntax: "[flush-type: ASYNC | SYNC]",
        arity: Arity(-2),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        tips: ALL_NODES,
        ..SCRIPTING
    };
    type Args<'a> = ();

    fn parse(args: &mut Args<'_>) -> Result<(), ReplyError> {
        if args.left() > 0 {
            args.choice(&[("SYNC", ()), ("ASYNC", ())]).map_err(|_| FLUSH_MODE)?;
        }
        args.end().map_err(|_| FLUSH_MODE)
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.node.scripts.scripting.flush_scripts();
        reply.ok();
        Ok(())
    }
}

/// `SCRIPT KILL`
pub struct Kill;

impl Command for Kill {
    const SPEC: Spec = Spec {
        name: "script|kill",
        summary: "Ends the script that is running.",
        since: "2.6.0",
        arity: Arity(2),
        flags: Flags::NOSCRIPT.with(Flags::ALLOW_BUSY),
        tips: ONE_OF_ALL,
        ..SCRIPTING
    };
    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.node.facts.scripts.kill(false)?;
        reply.ok();
        Ok(())
    }
}

/// `SCRIPT DEBUG YES | SYNC | NO`
pub struct Debug;

impl Command for Debug {
    const SPEC: Spec = Spec {
        name: "script|debug",
        summary: "Switches the debugger for scripts off, which it is anyway.",
        since: "3.2.0",
        syntax: "(mode: YES | SYNC | NO)",
        arity: Arity(3),
        ..SCRIPTING
    };
    type Args<'a> = bool;

    fn parse(args: &mut Args<'_>) -> Result<bool, ReplyError> {
        args.choice(&[("YES", true), ("SYNC", true), ("NO", false)])
            .map_err(|_| ReplyError::Text("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
    }

    fn execute(on: bool, _: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        if on {
            return Err(ReplyError::Text(
                "ERR This server has no debugger for scripts; run them without SCRIPT DEBUG",
            ));
        }
        reply.ok();
        Ok(())
    }
}
