//! XPENDING: what was delivered to a group and is not acknowledged.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::{Group, Pending, Stream, StreamId};

use super::{READS, id, reply_id, reply_no_group};
use crate::define::define;

define! { "`XPENDING key group [[IDLE min-idle-time] start end count [consumer]]`",
XPending, PendingArgs, parse, execute, Spec {
    name: "xpending",
    summary: "Returns what a group has not acknowledged, in sum or one by one.",
    complexity: "O(N), N entries looked at.",
    syntax: "key group [filters: [IDLE min-idle-time:integer] start end count [consumer]]",
    arity: Arity(-3),
    tips: &["nondeterministic_output"],
    ..READS
}}

/// The arguments of XPENDING.
pub struct PendingArgs<'a> {
    key: &'a [u8],
    group: &'a [u8],
    /// One by one, not in sum.
    each: Option<Filter<'a>>,
}

struct Filter<'a> {
    idle_ms_min: i64,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

fn parse<'a>(args: &mut Args<'a>) -> Result<PendingArgs<'a>, ReplyError> {
    let (key, group) = (args.bytes()?, args.bytes()?);
    if args.left() == 0 {
        return Ok(PendingArgs { key, group, each: None });
    }
    if !(3..=6).contains(&args.left()) {
        return Err(ReplyError::Syntax);
    }
    let mut idle_ms_min = 0;
    if args.word("IDLE") {
        idle_ms_min = args.int()?;
        if args.left() < 3 {
            return Err(ReplyError::Syntax);
        }
    }
    let (from, to, count) = (args.bytes()?, args.bytes()?, args.int()?);
    let (from, to) = (id::parse_start(from)?, id::parse_end(to)?);
    let consumer = if args.left() > 0 { Some(args.bytes()?) } else { None };
    let count = usize::try_from(count).unwrap_or(0);
    let each = Some(Filter { idle_ms_min, from, to, count, consumer });
    Ok(PendingArgs { key, group, each })
}

fn execute(
    args: PendingArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let now_ms = ctx.now.0;
    let group = ctx.read::<Stream>(args.key)?.and_then(|stream| stream.groups().get(args.group));
    match (group, args.each) {
        (None, _) => reply_no_group(args.key, args.group, reply),
        (Some(group), None) => reply_sum(group, reply),
        (Some(group), Some(filter)) => reply_each(group, &filter, now_ms, reply),
    }
    Ok(())
}

fn reply_sum(group: &Group, reply: &mut dyn Reply) {
    let pending = group.pending();
    reply.array(4);
    reply.int(pending.len() as i64);
    let ends = pending.first_key_value().zip(pending.last_key_value());
    let Some(((first, _), (last, _))) = ends else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    reply_id(*first, reply);
    reply_id(*last, reply);
    let busy = || group.consumers().filter(|consumer| !consumer.pending().is_empty());
    reply.array(busy().count());
    for consumer in busy() {
        reply.array(2);
        reply.bulk(&consumer.name);
        reply.bulk(consumer.pending().len().to_string().as_bytes());
    }
}

fn reply_each(group: &Group, filter: &Filter<'_>, now_ms: u64, reply: &mut dyn Reply) {
    let idle_ms = |pending: &Pending| now_ms as i64 - pending.delivered_ms as i64;
    let is_idle =
        |pending: &Pending| filter.idle_ms_min == 0 || idle_ms(pending) >= filter.idle_ms_min;
    let mut found: Vec<(StreamId, Pending)> = Vec::new();
    if filter.from <= filter.to {
        let range = filter.from..=filter.to;
        let mut take = |(id, pending): (&StreamId, &Pending)| {
            if found.len() < filter.count && is_idle(pending) {
                found.push((*id, *pending));
            }
            found.len() < filter.count
        };
        match filter.consumer.map(|name| group.find(name)) {
            None => {
                let _ = group.pending().range(range).all(&mut take);
            }
            Some(None) => {}
            Some(Some(consumer)) => {
                let ids = group.consumer(consumer).pending().range(range);
                let _ = ids.map(|id| (id, &group.pending()[id])).all(&mut take);
            }
        }
    }
    reply.array(found.len());
    for (id, pending) in found {
        reply.array(4);
        reply_id(id, reply);
        reply.bulk(&group.consumer(pending.consumer).name);
        reply.int(idle_ms(&pending).max(0));
        reply.int(pending.count as i64);
    }
}
