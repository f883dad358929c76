//! XCLAIM and XAUTOCLAIM: pending entries change hands.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::{ConsumerId, Group, Pending, Stream, StreamId};

use super::{WRITES, id, reply_entry, reply_id, reply_no_group};
use crate::define::define;

const SPEC: Spec = Spec {
    arity: Arity(-6),
    flags: Flags::WRITE.with(Flags::FAST),
    tips: &["nondeterministic_output"],
    ..WRITES
};

define! {
"`XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]`",
XClaim, ClaimArgs, parse, claim, Spec {
    name: "xclaim",
    summary: "Gives pending entries to another consumer, as if they were delivered to it.",
    complexity: "O(log(N)) for each entry, N entries pending.",
    syntax: "key group consumer min-idle-time id... [IDLE ms:integer] \
             [TIME unix-time-milliseconds] [RETRYCOUNT count:integer] [FORCE] [JUSTID] \
             [LASTID lastid]",
    ..SPEC
}}

define! { "`XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`",
XAutoClaim, AutoArgs, parse_auto, auto_claim, Spec {
    name: "xautoclaim",
    summary: "Gives entries that are pending for long to another consumer.",
    since: "6.2.0",
    complexity: "O(1) if COUNT is small.",
    syntax: "key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
    ..SPEC
}}

/// Entries looked at for each one that XAUTOCLAIM may take.
const ATTEMPTS: usize = 10;
/// The greatest COUNT of XAUTOCLAIM that the reference takes.
const COUNT_MAX: i64 = i64::MAX / 16;

/// The arguments of XCLAIM.
pub struct ClaimArgs<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    /// What is wrong here is of no interest without a group.
    options: Result<Options, Wrong<'a>>,
}

struct Options {
    idle_ms_min: i64,
    ids: Vec<StreamId>,
    /// When the entries count as delivered.
    delivered: Delivered,
    count: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

#[derive(Clone, Copy, Debug)]
enum Delivered {
    Now,
    Idle(i64),
    At(i64),
}

enum Wrong<'a> {
    Error(ReplyError),
    Option(&'a [u8]),
}

impl From<ReplyError> for Wrong<'_> {
    fn from(error: ReplyError) -> Self {
        Self::Error(error)
    }
}

fn parse<'a>(args: &mut Args<'a>) -> Result<ClaimArgs<'a>, ReplyError> {
    let (key, group, consumer) = (args.bytes()?, args.bytes()?, args.bytes()?);
    Ok(ClaimArgs { key, group, consumer, options: parse_options(args) })
}

fn parse_options<'a>(args: &mut Args<'a>) -> Result<Options, Wrong<'a>> {
    let int = |args: &mut Args<'a>, text| args.int().map_err(|_| ReplyError::Text(text));
    let idle_ms_min = int(args, "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
    let mut options = Options {
        idle_ms_min,
        ids: Vec::new(),
        delivered: Delivered::Now,
        count: None,
        force: false,
        just_id: false,
        last_id: StreamId::MIN,
    };
    while let Some(id) = args.peek().and_then(|text| id::parse(text, 0).ok()) {
        options.ids.push(id);
        args.bytes()?;
    }
    while let Some(word) = args.peek() {
        let has_value = args.left() > 1;
        if args.word("FORCE") {
            options.force = true;
        } else if args.word("JUSTID") {
            options.just_id = true;
        } else if has_value && args.word("IDLE") {
            let idle = int(args, "ERR Invalid IDLE option argument for XCLAIM")?;
            options.delivered = Delivered::Idle(idle);
        } else if has_value && args.word("TIME") {
            let at = int(args, "ERR Invalid TIME option argument for XCLAIM")?;
            options.delivered = Delivered::At(at);
        } else if has_value && args.word("RETRYCOUNT") {
            let count = int(args, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
            options.count = u64::try_from(count).ok();
        } else if has_value && args.word("LASTID") {
            options.last_id = id::parse(args.bytes()?, 0)?;
        } else {
            return Err(Wrong::Option(word));
        }
    }
    Ok(options)
}

/// Runs `work` on a group with the stream beside it and the consumer, which comes to be if it is
/// missing. None when there is no group.
fn with_consumer<R>(
    key: &[u8],
    names: (&[u8], &[u8]),
    ctx: &mut Ctx<'_>,
    work: impl FnOnce(&Stream, &mut Group, ConsumerId) -> R,
) -> Result<Option<R>, ReplyError> {
    let now_ms = ctx.now.0;
    let Some(mut stream) = ctx.edit::<Stream>(key)? else { return Ok(None) };
    let Some(mut group) = stream.take_group(names.0) else { return Ok(None) };
    let found = group.find(names.1);
    let consumer =
        found.or_else(|| group.add(names.1, now_ms)).expect("a name is taken or can be added");
    group.consumer_mut(consumer).seen_ms = now_ms;
    let done = work(&stream, &mut group, consumer);
    stream.put_group(names.0, group);
    drop(stream);
    if found.is_none() {
        ctx.notify(Class::Stream, "xgroup-createconsumer", key);
        ctx.changed(1);
    }
    Ok(Some(done))
}

fn claim(args: ClaimArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let now_ms = ctx.now.0;
    let known = ctx.read::<Stream>(args.key)?.and_then(|stream| stream.groups().get(args.group));
    if known.is_none() {
        reply_no_group(args.key, args.group, reply);
        return Ok(());
    }
    let options = match args.options {
        Ok(options) => options,
        Err(Wrong::Error(error)) => return Err(error),
        Err(Wrong::Option(word)) => {
            reply.error_echo("ERR Unrecognized XCLAIM option '", word, "'");
            return Ok(());
        }
    };
    let names = (args.group, args.consumer);
    let changed = with_consumer(args.key, names, ctx, |stream, group, consumer| {
        group.last_id = group.last_id.max(options.last_id);
        let taken: Vec<(StreamId, Taken)> = options
            .ids
            .iter()
            .map(|id| (*id, take(stream, group, consumer, *id, &options, now_ms)))
            .collect();
        let claimed = || taken.iter().filter(|(_, taken)| *taken == Taken::Claimed);
        reply.array(claimed().count());
        claimed().for_each(|(id, _)| reply_claimed(stream, *id, options.just_id, reply));
        taken.iter().filter(|(_, taken)| *taken != Taken::Left).count()
    })?;
    ctx.changed(changed.unwrap_or(0) as u64);
    Ok(())
}

/// What became of an entry that was to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Claimed,
    /// It is deleted, and not pending any more.
    Dropped,
    Left,
}

/// Claims one entry as far as the options allow.
fn take(
    stream: &Stream,
    group: &mut Group,
    consumer: ConsumerId,
    id: StreamId,
    options: &Options,
    now_ms: u64,
) -> Taken {
    let pending = group.pending().get(&id).copied();
    if !stream.contains(id) {
        return if group.acknowledge(id) { Taken::Dropped } else { Taken::Left };
    }
    let idle_ms = |pending: &Pending| now_ms as i64 - pending.delivered_ms as i64;
    let old_count = match pending {
        Some(pending) if idle_ms(&pending) < options.idle_ms_min => return Taken::Left,
        Some(pending) => pending.count,
        // Forced, it counts as delivered once before.
        None if options.force => 1,
        None => return Taken::Left,
    };
    let count = options.count.unwrap_or(old_count + u64::from(!options.just_id));
    let delivered_ms = match options.delivered {
        Delivered::Now => now_ms,
        Delivered::Idle(idle) => sane(now_ms as i64 - idle, now_ms),
        Delivered::At(at) => sane(at, now_ms),
    };
    group.deliver(id, Pending { delivered_ms, count, consumer });
    group.consumer_mut(consumer).active_ms = Some(now_ms);
    Taken::Claimed
}

/// A time of delivery that can be one, or now.
fn sane(at: i64, now_ms: u64) -> u64 {
    u64::try_from(at).ok().filter(|at| *at <= now_ms).unwrap_or(now_ms)
}

fn reply_claimed(stream: &Stream, id: StreamId, just_id: bool, reply: &mut dyn Reply) {
    match stream.range(id, id, false).next() {
        Some(entry) if !just_id => reply_entry(entry, reply),
        Some(_) | None => reply_id(id, reply),
    }
}

/// The arguments of XAUTOCLAIM.
pub struct AutoArgs<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    from: StreamId,
    options: Options,
    count: usize,
}

fn parse_auto<'a>(args: &mut Args<'a>) -> Result<AutoArgs<'a>, ReplyError> {
    let (key, group, consumer) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let bad = ReplyError::Text("ERR Invalid min-idle-time argument for XAUTOCLAIM");
    let idle_ms_min = args.int().map_err(|_| bad)?.max(0);
    let from = id::parse_start(args.bytes()?)?;
    let (mut count, mut just_id) = (100, false);
    while args.left() > 0 {
        if args.left() > 1 && args.word("COUNT") {
            let bad = ReplyError::Text("ERR COUNT must be > 0");
            count = args.int_in(1..=COUNT_MAX, bad)? as usize;
        } else if args.word("JUSTID") {
            just_id = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let options = Options {
        idle_ms_min,
        ids: Vec::new(),
        delivered: Delivered::Now,
        count: None,
        force: false,
        just_id,
        last_id: StreamId::MIN,
    };
    Ok(AutoArgs { key, group, consumer, from, options, count })
}

fn auto_claim(
    args: AutoArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let now_ms = ctx.now.0;
    let names = (args.group, args.consumer);
    let changed = with_consumer(args.key, names, ctx, |stream, group, consumer| {
        let (mut claimed, mut dropped) = (Vec::new(), Vec::new());
        let mut next = Some(args.from);
        let mut attempts = args.count.saturating_mul(ATTEMPTS);
        while attempts > 0 && claimed.len() + dropped.len() < args.count {
            attempts -= 1;
            let Some(id) = first_pending(group, next) else {
                next = None;
                break;
            };
            match take(stream, group, consumer, id, &args.options, now_ms) {
                Taken::Claimed => claimed.push(id),
                Taken::Dropped => dropped.push(id),
                Taken::Left => {}
            }
            next = id.next();
        }
        reply.array(3);
        reply_id(first_pending(group, next).unwrap_or(StreamId::MIN), reply);
        reply.array(claimed.len());
        claimed.iter().for_each(|id| reply_claimed(stream, *id, args.options.just_id, reply));
        reply.array(dropped.len());
        dropped.iter().for_each(|id| reply_id(*id, reply));
        claimed.len() + dropped.len()
    })?;
    match changed {
        Some(changed) => ctx.changed(changed as u64),
        None => reply_no_group(args.key, args.group, reply),
    }
    Ok(())
}

/// The first pending entry from `from` on.
fn first_pending(group: &Group, from: Option<StreamId>) -> Option<StreamId> {
    group.pending().range(from?..).next().map(|(id, _)| *id)
}
