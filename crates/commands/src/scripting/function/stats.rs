//! FUNCTION STATS and FUNCTION KILL, and what SCRIPT KILL has in common with it: what is running, and
//! how to end it.

use stoa_command::{Args, Arity, Flags, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::{Command, Ctx, Part, Reply};

use super::FUNCTION;
use crate::scripting::ONE_OF_ALL;

const NOT_BUSY: &str = "NOTBUSY No scripts in execution right now.";

/// Which kind of running script is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scripting) enum Ending {
    /// Of EVAL and the like.
    Script,
    /// Of FCALL.
    Function,
}

/// What came of ending whatever runs on one shard. None: nothing runs there.
type Ended = Option<Result<(), ReplyError>>;

/// Ends what runs on this shard, if it may be ended so.
pub(in crate::scripting) fn end_running(ctx: &mut Ctx<'_>, ending: Ending) -> Ended {
    let _ = (ctx, ending);
    None
}

/// Answers from what all shards said.
pub(in crate::scripting) fn say_ending(
    parts: &[Part],
    _: Ending,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let mut ended = parts.iter().filter_map(|part| part.downcast_ref::<Ended>().copied().flatten());
    ended.next().unwrap_or(Err(ReplyError::Text(NOT_BUSY)))?;
    reply.ok();
    Ok(())
}

/// `FUNCTION KILL`
pub struct Kill;

impl Command for Kill {
    const SPEC: Spec = Spec {
        name: "function|kill",
        summary: "Ends the function that is running.",
        arity: Arity(2),
        flags: Flags::NOSCRIPT.with(Flags::ALLOW_BUSY),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        tips: ONE_OF_ALL,
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
        Box::new(end_running(ctx, Ending::Function))
    }

    fn merge(
        (): (),
        parts: Vec<Part>,
        _: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        say_ending(&parts, Ending::Function, reply)
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
        reply.null();
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
