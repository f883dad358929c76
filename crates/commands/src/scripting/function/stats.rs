//! FUNCTION STATS and FUNCTION KILL: what is running, and how to end it.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, PausedScript, Reply};

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
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..FUNCTION
    };
    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let (libraries, functions) = ctx.node.scripts.scripting.library_figures();
        reply.map(2);
        reply.bulk(b"running_script");
        write_running(ctx, reply);
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

/// The function that pauses on this shard, if one does.
fn write_running(ctx: &mut Ctx<'_>, reply: &mut dyn Reply) {
    let scripts = &ctx.node.scripts;
    let Some((name, command, since)) = scripts.paused.as_ref().and_then(PausedScript::function)
    else {
        return reply.null();
    };
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(name);
    reply.bulk(b"command");
    reply.array(command.len());
    command.iter().for_each(|word| reply.bulk(word));
    reply.bulk(b"duration_ms");
    reply.int((scripts.ran_ns(since) / 1_000_000) as i64);
}
