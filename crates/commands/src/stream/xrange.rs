//! XLEN, XRANGE and XREVRANGE: entries between two ids.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::{Stream, StreamId, StreamRange};

use super::{READS, id, reply_entry};
use crate::define::define;

define! { "`XLEN key`", XLen, Key, Args::bytes, len, Spec {
    name: "xlen",
    summary: "Counts the entries.",
    syntax: "key",
    arity: Arity(2),
    flags: Flags::READONLY.with(Flags::FAST),
    keys: &[KeySpec::first(KeyFlags::RO)],
    ..READS
}}

define! { "`XRANGE key start end [COUNT count]`", XRange, RangeArgs,
|args| parse(args, false), execute, Spec {
    name: "xrange",
    summary: "Returns the entries between two ids.",
    complexity: "O(log(N)+M), M entries returned of N.",
    syntax: "key start end [COUNT count:integer]",
    ..READS
}}

define! { "`XREVRANGE key end start [COUNT count]`", XRevRange, RangeArgs,
|args| parse(args, true), execute, Spec {
    name: "xrevrange",
    summary: "Returns the entries between two ids, from the last.",
    complexity: "O(log(N)+M), M entries returned of N.",
    syntax: "key end start [COUNT count:integer]",
    ..READS
}}

type Key<'a> = &'a [u8];

/// The arguments of XRANGE and XREVRANGE.
pub struct RangeArgs<'a> {
    key: &'a [u8],
    from: StreamId,
    to: StreamId,
    backwards: bool,
    count: Option<usize>,
}

fn parse<'a>(args: &mut Args<'a>, backwards: bool) -> Result<RangeArgs<'a>, ReplyError> {
    let (key, first, second) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let (from, to) = if backwards { (second, first) } else { (first, second) };
    let (from, to) = (id::parse_start(from)?, id::parse_end(to)?);
    let mut count = None;
    while args.left() > 1 && args.word("COUNT") {
        count = Some(usize::try_from(args.int()?).unwrap_or(0));
    }
    args.end()?;
    Ok(RangeArgs { key, from, to, backwards, count })
}

fn len(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let stream = ctx.read::<Stream>(key)?;
    reply.int(stream.map_or(0, Stream::len) as i64);
    Ok(())
}

fn execute(
    args: RangeArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    match (ctx.read::<Stream>(args.key)?, args.count) {
        (None, _) => reply.array(0),
        (Some(_), Some(0)) => reply.null_array(),
        (Some(stream), count) => {
            let range = || stream.range(args.from, args.to, args.backwards);
            reply_range(range, count.unwrap_or(usize::MAX), reply);
        }
    }
    Ok(())
}

/// Answers the first `count` entries of a range. It is walked twice, for the length comes first.
pub(super) fn reply_range<'a>(
    range: impl Fn() -> StreamRange<'a>,
    count: usize,
    reply: &mut dyn Reply,
) {
    reply.array(range().take(count).count());
    range().take(count).for_each(|entry| reply_entry(entry, reply));
}
