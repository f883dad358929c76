//! ZREMRANGEBYRANK, ZREMRANGEBYSCORE and ZREMRANGEBYLEX: a range of members leaves.

use stoa_command::{Args, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::SortedSet;

use super::bounds::{LexRange, ScoreRange, ranks};
use super::{REMOVES, notify_gone};
use crate::define::define;

const SPEC: Spec = Spec {
    complexity: "O(log(N)+M*log(N)), M members removed of N.",
    syntax: "key min max",
    ..REMOVES
};

define! { "`ZREMRANGEBYRANK key start stop`", ZRemRangeByRank, RangeArgs, by_rank,
|args, ctx, reply| execute(args, "zremrangebyrank", ctx, reply), Spec {
    name: "zremrangebyrank",
    summary: "Removes the members between two ranks.",
    since: "2.0.0",
    syntax: "key start:integer stop:integer",
    ..SPEC
}}

define! { "`ZREMRANGEBYSCORE key min max`", ZRemRangeByScore, RangeArgs, by_score,
|args, ctx, reply| execute(args, "zremrangebyscore", ctx, reply), Spec {
    name: "zremrangebyscore",
    summary: "Removes the members between two scores.",
    since: "1.2.0",
    syntax: "key min:double max:double",
    ..SPEC
}}

define! { "`ZREMRANGEBYLEX key min max`", ZRemRangeByLex, RangeArgs, by_lex,
|args, ctx, reply| execute(args, "zremrangebylex", ctx, reply), Spec {
    name: "zremrangebylex",
    summary: "Removes the members between two others, in a set of one score.",
    since: "2.8.9",
    ..SPEC
}}

/// A key and a range of it.
pub struct RangeArgs<'a> {
    key: &'a [u8],
    range: Between<'a>,
}

enum Between<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Bytes(LexRange<'a>),
}

fn by_rank<'a>(args: &mut Args<'a>) -> Result<RangeArgs<'a>, ReplyError> {
    Ok(RangeArgs { key: args.bytes()?, range: Between::Ranks(args.int()?, args.int()?) })
}

fn by_score<'a>(args: &mut Args<'a>) -> Result<RangeArgs<'a>, ReplyError> {
    let (key, min, max) = (args.bytes()?, args.bytes()?, args.bytes()?);
    Ok(RangeArgs { key, range: Between::Scores(ScoreRange::parse(min, max)?) })
}

fn by_lex<'a>(args: &mut Args<'a>) -> Result<RangeArgs<'a>, ReplyError> {
    let (key, min, max) = (args.bytes()?, args.bytes()?, args.bytes()?);
    Ok(RangeArgs { key, range: Between::Bytes(LexRange::parse(min, max)?) })
}

fn execute(
    args: RangeArgs<'_>,
    event: &'static str,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let (mut removed, mut is_gone) = (0, false);
    if let Some(mut set) = ctx.edit::<SortedSet>(args.key)? {
        let (from, to) = match &args.range {
            Between::Ranks(start, stop) => ranks(*start, *stop, set.len()),
            Between::Scores(range) => range.ranks(&set),
            Between::Bytes(range) => range.ranks(&set),
        };
        set.remove_range(from, to - from, &mut |_, _| removed += 1);
        is_gone = set.is_empty();
    }
    if removed > 0 {
        ctx.notify(Class::SortedSet, event, args.key);
        notify_gone(is_gone, args.key, ctx);
        ctx.changed(removed);
    }
    reply.int(removed as i64);
    Ok(())
}
