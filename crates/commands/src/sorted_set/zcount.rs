//! ZCOUNT and ZLEXCOUNT: how many members lie in a range.

use stoa_command::{Args, Flags, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::SortedSet;

use super::READS;
use super::bounds::{LexRange, ScoreRange};
use crate::define::define;

const SPEC: Spec = Spec {
    flags: Flags::READONLY.with(Flags::FAST),
    complexity: "O(log(N)), N members in the set.",
    syntax: "key min max",
    ..READS
};

define! { "`ZCOUNT key min max`", ZCount, CountArgs, scores, execute, Spec {
    name: "zcount",
    summary: "Counts the members between two scores.",
    since: "2.0.0",
    syntax: "key min:double max:double",
    ..SPEC
}}

define! { "`ZLEXCOUNT key min max`", ZLexCount, CountArgs, bytes, execute, Spec {
    name: "zlexcount",
    summary: "Counts the members between two others, in a set of one score.",
    since: "2.8.9",
    ..SPEC
}}

/// A key and a range of it.
pub struct CountArgs<'a> {
    key: &'a [u8],
    range: Between<'a>,
}

enum Between<'a> {
    Scores(ScoreRange),
    Bytes(LexRange<'a>),
}

fn scores<'a>(args: &mut Args<'a>) -> Result<CountArgs<'a>, ReplyError> {
    let (key, min, max) = (args.bytes()?, args.bytes()?, args.bytes()?);
    Ok(CountArgs { key, range: Between::Scores(ScoreRange::parse(min, max)?) })
}

fn bytes<'a>(args: &mut Args<'a>) -> Result<CountArgs<'a>, ReplyError> {
    let (key, min, max) = (args.bytes()?, args.bytes()?, args.bytes()?);
    Ok(CountArgs { key, range: Between::Bytes(LexRange::parse(min, max)?) })
}

fn execute(
    args: CountArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let count = ctx.read::<SortedSet>(args.key)?.map_or(0, |set| {
        let (from, to) = match &args.range {
            Between::Scores(range) => range.ranks(set),
            Between::Bytes(range) => range.ranks(set),
        };
        to - from
    });
    reply.int(count as i64);
    Ok(())
}
