//! ZRANGE and its older forms, and ZRANGESTORE: a range of members, by rank, score or bytes.
//!
//! All are one command: the older names fix what ZRANGE takes as an option. Whatever a range is
//! written in, it becomes a range of ranks, then a walk.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::SortedSet;

use super::bounds::{LexRange, ScoreRange, ranks};
use super::{READS, reply_head, reply_member, store};
use crate::define::define;

const SPEC: Spec =
    Spec { complexity: "O(log(N)+M), M members returned of N.", arity: Arity(-4), ..READS };

define! { "`ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`",
ZRange, RangeArgs, |args| parse(args, None, None, false), execute, Spec {
    name: "zrange",
    summary: "Returns the members of a range.",
    since: "1.2.0",
    syntax: "key start stop [sortby: BYSCORE | BYLEX] [REV] \
             [LIMIT offset:integer count:integer] [WITHSCORES]",
    ..SPEC
}}

define! { "`ZREVRANGE key start stop [WITHSCORES]`",
ZRevRange, RangeArgs, |args| parse(args, Some(By::Rank), Some(true), false), execute, Spec {
    name: "zrevrange",
    summary: "Returns the members between two ranks, from the highest score.",
    since: "1.2.0",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
    syntax: "key start:integer stop:integer [WITHSCORES]",
    ..SPEC
}}

define! { "`ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`",
ZRangeByScore, RangeArgs, |args| parse(args, Some(By::Score), Some(false), false), execute, Spec {
    name: "zrangebyscore",
    summary: "Returns the members between two scores.",
    since: "1.0.5",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
    syntax: "key min:double max:double [WITHSCORES] [LIMIT offset:integer count:integer]",
    ..SPEC
}}

define! { "`ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`",
ZRevRangeByScore, RangeArgs, |args| parse(args, Some(By::Score), Some(true), false), execute, Spec {
    name: "zrevrangebyscore",
    summary: "Returns the members between two scores, from the highest.",
    since: "2.2.0",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
    syntax: "key max:double min:double [WITHSCORES] [LIMIT offset:integer count:integer]",
    ..SPEC
}}

define! { "`ZRANGEBYLEX key min max [LIMIT offset count]`",
ZRangeByLex, RangeArgs, |args| parse(args, Some(By::Lex), Some(false), false), execute, Spec {
    name: "zrangebylex",
    summary: "Returns the members between two others, in a set of one score.",
    since: "2.8.9",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
    syntax: "key min max [LIMIT offset:integer count:integer]",
    ..SPEC
}}

define! { "`ZREVRANGEBYLEX key max min [LIMIT offset count]`",
ZRevRangeByLex, RangeArgs, |args| parse(args, Some(By::Lex), Some(true), false), execute, Spec {
    name: "zrevrangebylex",
    summary: "Returns the members between two others backwards, in a set of one score.",
    since: "2.8.9",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
    syntax: "key max min [LIMIT offset:integer count:integer]",
    ..SPEC
}}

define! { "`ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]`",
ZRangeStore, RangeArgs, |args| parse(args, None, None, true), execute, Spec {
    name: "zrangestore",
    summary: "Stores the members of a range under another key.",
    since: "6.2.0",
    complexity: "O(log(N)+M*log(M)), M members stored of N.",
    syntax: "dst:key src:key min max [sortby: BYSCORE | BYLEX] [REV] \
             [LIMIT offset:integer count:integer]",
    arity: Arity(-5),
    flags: Flags::WRITE.with(Flags::DENYOOM),
    keys: &[
        KeySpec::first(KeyFlags::OW.with(KeyFlags::UPDATE)),
        KeySpec::range(2, 0, 1, KeyFlags::RO.with(KeyFlags::ACCESS)),
    ],
    ..SPEC
}}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// The arguments of all of them.
pub struct RangeArgs<'a> {
    /// Where the result goes, if it is stored.
    into: Option<&'a [u8]>,
    key: &'a [u8],
    range: Between<'a>,
    backwards: bool,
    /// Offset, and how many; below zero: all.
    limit: (i64, i64),
    with_scores: bool,
}

enum Between<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Bytes(LexRange<'a>),
}

fn parse<'a>(
    args: &mut Args<'a>,
    mut by: Option<By>,
    mut backwards: Option<bool>,
    stores: bool,
) -> Result<RangeArgs<'a>, ReplyError> {
    let into = if stores { Some(args.bytes()?) } else { None };
    let (key, first, second) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let (mut limit, mut with_scores) = ((0, -1), false);
    while args.left() > 0 {
        if !stores && args.word("WITHSCORES") {
            with_scores = true;
        } else if args.left() > 2 && args.word("LIMIT") {
            limit = (args.int()?, args.int()?);
        } else if backwards.is_none() && args.word("REV") {
            backwards = Some(true);
        } else if by.is_none() && args.word("BYLEX") {
            by = Some(By::Lex);
        } else if by.is_none() && args.word("BYSCORE") {
            by = Some(By::Score);
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let (by, backwards) = (by.unwrap_or(By::Rank), backwards.unwrap_or(false));
    if limit.1 != -1 && by == By::Rank {
        return Err(ReplyError::Text(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    if with_scores && by == By::Lex {
        return Err(ReplyError::Text(
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        ));
    }
    // Backwards, the greater end is written first.
    let (min, max) = if backwards { (second, first) } else { (first, second) };
    let range = match by {
        By::Rank => {
            let int = |text| stoa_command::parse_int(text).ok_or(ReplyError::NotInteger);
            Between::Ranks(int(first)?, int(second)?)
        }
        By::Score => Between::Scores(ScoreRange::parse(min, max)?),
        By::Lex => Between::Bytes(LexRange::parse(min, max)?),
    };
    Ok(RangeArgs { into, key, range, backwards, limit, with_scores })
}

impl RangeArgs<'_> {
    /// The ranks of what is asked for, from the lowest score.
    fn ranks(&self, set: &SortedSet) -> (usize, usize) {
        let (from, to) = match &self.range {
            Between::Ranks(start, stop) => {
                let len = set.len();
                let (from, to) = ranks(*start, *stop, len);
                return if self.backwards { (len - to, len - from) } else { (from, to) };
            }
            Between::Scores(range) => range.ranks(set),
            Between::Bytes(range) => range.ranks(set),
        };
        let (offset, count) = self.limit;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let Some(skipped) = self.skipped(offset, to - from, set) else { return (0, 0) };
        if self.backwards {
            let to = to - skipped;
            (from.max(to.saturating_sub(count)), to)
        } else {
            let from = from + skipped;
            (from, to.min(from.saturating_add(count)))
        }
    }

    /// How many of `len` members the offset leaves out; None: all of them. One below zero counts from
    /// the far end, but of large sets only: that is how the reference walks them.
    fn skipped(&self, offset: i64, len: usize, set: &SortedSet) -> Option<usize> {
        let skipped = match usize::try_from(offset) {
            Ok(offset) => offset,
            Err(_) if set.encoding() == "listpack" => return None,
            Err(_) => len.checked_sub(offset.unsigned_abs() as usize)?,
        };
        (skipped < len).then_some(skipped)
    }
}

fn execute(
    args: RangeArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let (proto, rules) = (ctx.proto(), ctx.rules());
    let set = ctx.read::<SortedSet>(args.key)?;
    let range = set.map(|set| {
        let (from, to) = args.ranks(set);
        set.range(from, to, args.backwards)
    });
    let Some(into) = args.into else {
        reply_head(
            reply,
            proto,
            range.as_ref().map_or(0, ExactSizeIterator::len),
            args.with_scores,
        );
        for pair in range.into_iter().flatten() {
            reply_member(reply, proto, pair, args.with_scores);
        }
        return Ok(());
    };
    let mut stored = SortedSet::default();
    stored.expect(range.as_ref().map_or(0, ExactSizeIterator::len), 0, &rules);
    for (member, score) in range.into_iter().flatten() {
        member.with(|member| stored.insert(member, score, &rules));
    }
    reply.int(stored.len() as i64);
    let into = ctx.key(into);
    store(stored, "zrangestore", &into, ctx);
    Ok(())
}
