//! FUNCTION STATS and FUNCTION KILL: what is running, and how to end it.

use stoa_command::{Args, Arity, Flags, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::{Command, Ctx, Part, PausedScript, Reply};

use super::FUNCTION;
use crate::scripting::ONE_OF_ALL;

/// `FUNCTION KILL`
pub struct Kill;

impl Command for Kill {
    const SPEC: Spec = Spec {
        name: "function|kill",
        summary: "Ends the function that is running.",
        arity: Arity(2),
        flags: Flags::NOSCRIPT.with(Flags::ALLOW_BUSY),
        tips: ONE_OF_ALL,
        ..FUNCTION
    };
    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.node.facts.scripts.kill(true)?;
        reply.ok();
        Ok(())
    }
}

/// `FUNCTION STATS`
pub struct Stats;

impl Command for Stats {
    const SPEC: Spec = Spec {
        name: "function|stats",
        summary: "Says which function is running, and what is loaded.",
        arity: Arity(2),
        flags: Flags::NOSCRIPT.with(Flags::ALLOW_BUSY),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..FUNCTION
    };
    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), _: &mut Ctx<'_>, _: &mut dyn Reply) -> Result<(), ReplyError> {
        unreachable!("it is asked of all shards")
    }

    fn collect((): (), ctx: &mut Ctx<'_>) -> Part {
        Box::new(running(ctx))
    }

    fn merge(
        (): (),
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (libraries, functions) = ctx.node.scripts.scripting.library_figures();
        let mut parts = parts.iter();
        let found = parts.find_map(|part| part.downcast_ref::<Option<Running>>()?.as_ref());
        reply.map(2);
        reply.bulk(b"running_script");
        match found {
            None => reply.null(),
            Some(Running { name, command, duration_ms }) => {
                reply.map(3);
                reply.bulk(b"name");
                reply.bulk(name);
                reply.bulk(b"command");
                reply.array(command.len());
                command.iter().for_each(|word| reply.bulk(word));
                reply.bulk(b"duration_ms");
                reply.int(*duration_ms);
            }
        }
        reply.bulk(b"engines");
        reply.map(1);
        reply.bulk(b"LUA");
        reply.map(2);
        reply.bulk(b"libraries_count");
        reply.int(libraries as i64);
        reply.bulk(b"functions_count");
        reply.int(functions as i64);
        Ok(())
    }
}

/// A function that pauses.
struct Running {
    name: Vec<u8>,
    command: Vec<Vec<u8>>,
    duration_ms: i64,
}

/// The one of this shard, if there is one.
fn running(ctx: &Ctx<'_>) -> Option<Running> {
    let scripts = &ctx.node.scripts;
    let (name, command, since) = scripts.paused.as_ref().and_then(PausedScript::function)?;
    let duration_ms = (scripts.ran_ns(since) / 1_000_000) as i64;
    Some(Running { name: name.to_vec(), command: command.to_vec(), duration_ms })
}
