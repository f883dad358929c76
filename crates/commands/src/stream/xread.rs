//! XREAD and XREADGROUP: entries behind an id, of several streams, or a wait for them.

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec, parse_int,
};
use stoa_engine::{Block, Class, Ctx, OnTimeout, Proto, Reply};
use stoa_value::{ConsumerId, Group, Pending, Stream, StreamId, Type};

use super::xrange::reply_range;
use super::{READS, id, reply_entry, reply_id};
use crate::define::define;
use crate::wrong_type;

const fn streams(from: i32) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Keyword("STREAMS", from),
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        flags: KeyFlags::RO.with(KeyFlags::ACCESS),
    }
}

define! { "`XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]`",
XRead, ReadArgs, |args| parse(args, false), read, Spec {
    name: "xread",
    summary: "Returns the entries behind an id of each stream, or waits for one.",
    complexity: "O(N), N entries returned, for each stream.",
    syntax: "[COUNT count:integer] [BLOCK milliseconds] STREAMS (streams: key... id...)",
    flags: Flags::READONLY.with(Flags::BLOCKING).with(Flags::MOVABLE_KEYS),
    keys: &[streams(1)],
    ..READS
}}

define! {
"`XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]`",
XReadGroup, ReadArgs, |args| parse(args, true), read_group, Spec {
    name: "xreadgroup",
    summary: "Returns entries that nobody of a group got yet, or a consumer's pending ones, or waits.",
    complexity: "O(N), N entries returned, for each stream.",
    syntax: "(group-block: GROUP group consumer) [COUNT count:integer] [BLOCK milliseconds] \
             [NOACK] STREAMS (streams: key... id...)",
    arity: Arity(-7),
    flags: Flags::WRITE.with(Flags::BLOCKING).with(Flags::MOVABLE_KEYS),
    keys: &[streams(4)],
    ..READS
}}

/// The arguments of both.
pub struct ReadArgs<'a> {
    /// The request, for a wait.
    words: Args<'a>,
    group: &'a [u8],
    consumer: &'a [u8],
    count: usize,
    wait_ms: Option<u64>,
    no_ack: bool,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
}

fn parse<'a>(args: &mut Args<'a>, is_group: bool) -> Result<ReadArgs<'a>, ReplyError> {
    let words = args.clone();
    let (mut names, mut count, mut wait_ms, mut no_ack) = (None, usize::MAX, None, false);
    while args.left() > 0 {
        if args.left() > 1 && args.word("BLOCK") {
            wait_ms = Some(parse_ms(args.bytes()?)?);
        } else if args.left() > 1 && args.word("COUNT") {
            // Nothing, or less, is no limit.
            let wanted = usize::try_from(args.int()?).unwrap_or(0);
            count = if wanted == 0 { usize::MAX } else { wanted };
        } else if args.left() > 1 && args.word("STREAMS") {
            let rest = args.rest();
            if !rest.len().is_multiple_of(2) {
                return Err(unbalanced(is_group));
            }
            if is_group && names.is_none() {
                return Err(ReplyError::Text("ERR Missing GROUP option for XREADGROUP"));
            }
            let (keys, ids) = rest.split_at(rest.len() / 2);
            let (group, consumer) = names.unwrap_or_default();
            return Ok(ReadArgs { words, group, consumer, count, wait_ms, no_ack, keys, ids });
        } else if args.left() > 2 && args.word("GROUP") {
            if !is_group {
                return Err(ReplyError::Text(
                    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                ));
            }
            names = Some((args.bytes()?, args.bytes()?));
        } else if args.word("NOACK") {
            if !is_group {
                return Err(ReplyError::Text(
                    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                ));
            }
            no_ack = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Err(ReplyError::Syntax)
}

fn parse_ms(text: &[u8]) -> Result<u64, ReplyError> {
    let bad = ReplyError::Text("ERR timeout is not an integer or out of range");
    let ms = parse_int(text).ok_or(bad)?;
    u64::try_from(ms).map_err(|_| ReplyError::Text("ERR timeout is negative"))
}

const fn unbalanced(is_group: bool) -> ReplyError {
    ReplyError::Text(if is_group {
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be \
         specified."
    } else {
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified."
    })
}

/// The head of the reply: a map in RESP3, an array of pairs before.
fn head(count: usize, proto: Proto, reply: &mut dyn Reply) {
    match proto {
        Proto::Resp2 => reply.array(count),
        Proto::Resp3 => reply.map(count),
    }
}

fn stream_head(key: &[u8], proto: Proto, reply: &mut dyn Reply) {
    if proto == Proto::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

fn top_of(stream: &Stream) -> Option<StreamId> {
    stream.range(StreamId::MIN, StreamId::MAX, true).next().map(|entry| entry.id)
}

/// Behind which id XREAD reads a stream.
fn resolve(text: &[u8], stream: Option<&Stream>) -> Result<StreamId, ReplyError> {
    match text {
        b"$" => Ok(stream.map_or(StreamId::MIN, Stream::last_id)),
        // The last entry itself, if there is any.
        b"+" => Ok(stream.map_or(StreamId::MIN, |stream| {
            top_of(stream).and_then(StreamId::prev).unwrap_or(stream.last_id())
        })),
        b">" => Err(ReplyError::Text(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        )),
        _ => id::parse(text, 0),
    }
}

fn read(args: ReadArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let proto = ctx.proto();
    let mut ids = Vec::with_capacity(args.ids.len());
    let mut streams = Vec::with_capacity(args.ids.len());
    let keys: Vec<_> = args.keys.iter().map(|key| ctx.key(key)).collect();
    let entries = ctx.db().get_all(keys.into_iter());
    for (text, entry) in args.ids.iter().zip(entries) {
        let stream = entry.map(|entry| entry.read::<Stream>().map_err(wrong_type)).transpose()?;
        ids.push(resolve(text, stream)?);
        streams.push(stream);
    }
    let ready: Vec<_> = args
        .keys
        .iter()
        .zip(&streams)
        .zip(&ids)
        .filter_map(|((key, stream), id)| Some((*key, (*stream)?, *id)))
        .filter(|(_, stream, id)| top_of(stream).is_some_and(|top| top > *id))
        .collect();
    if ready.is_empty() {
        wait(&args, &ids, false, ctx, reply);
        return Ok(());
    }
    head(ready.len(), proto, reply);
    for (key, stream, id) in ready {
        stream_head(key, proto, reply);
        let from = id.next().expect("something is greater");
        reply_range(|| stream.range(from, StreamId::MAX, false), args.count, reply);
    }
    Ok(())
}

/// Waits if the client asked to, else answers that there is nothing. `$` and `+` become the ids they
/// stand for now: what comes is behind them.
fn wait(
    args: &ReadArgs<'_>,
    ids: &[StreamId],
    is_group: bool,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) {
    let Some(wait_ms) = args.wait_ms else { return reply.null_array() };
    let mut argv: Vec<Vec<u8>> =
        (0..args.words.argc()).filter_map(|at| args.words.at(at)).map(<[u8]>::to_vec).collect();
    let first = argv.len() - args.ids.len();
    for (word, id) in argv[first..].iter_mut().zip(ids) {
        if matches!(word.as_slice(), b"$" | b"+") {
            *word = id.to_string().into_bytes();
        }
    }
    let block = Block {
        keys: crate::timeout::keys(args.keys),
        wants: Type::Stream,
        also_gone: is_group,
        until: crate::timeout::until(wait_ms, ctx),
        on_timeout: OnTimeout::NullArray,
        argv: Some(argv),
    };
    if !ctx.block(block) {
        reply.null_array();
    }
}

/// What XREADGROUP reads of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// `>`: what nobody of the group got yet.
    New,
    /// What is pending with the consumer behind this id.
    Pending(StreamId),
}

fn parse_from(text: &[u8]) -> Result<From, ReplyError> {
    match text {
        b">" => Ok(From::New),
        b"$" => Err(ReplyError::Text(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history \
             of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ \
             ID would just return an empty result set.",
        )),
        b"+" => Err(ReplyError::Text(
            "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history \
             of this consumer by specifying a proper ID, or use the > ID to get new messages. The + \
             ID would just return an empty result set.",
        )),
        _ => match id::parse(text, 0)? {
            // Nothing is behind the last id: the reference takes it for `>`.
            StreamId::MAX => Ok(From::New),
            id => Ok(From::Pending(id)),
        },
    }
}

fn read_group(
    args: ReadArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let proto = ctx.proto();
    let from = match sources(&args, ctx)? {
        Ok(from) => from,
        Err(key) => {
            reply_no_group(key, args.group, reply);
            return Ok(());
        }
    };
    let count = from.iter().filter(|(_, is_ready)| *is_ready).count();
    if count > 0 {
        head(count, proto, reply);
    }
    for ((what, is_ready), key) in from.into_iter().zip(args.keys) {
        if is_ready {
            stream_head(key, proto, reply);
        }
        deliver(&args, key, what, is_ready, ctx, reply)?;
    }
    if count == 0 {
        wait(&args, &[], true, ctx, reply);
    }
    Ok(())
}

/// What is read of each stream, and whether there is anything; or the key that has no such group.
type Starts<'a> = Result<Vec<(From, bool)>, &'a [u8]>;

/// Finds out where each stream is read from.
fn sources<'a>(args: &ReadArgs<'a>, ctx: &mut Ctx<'_>) -> Result<Starts<'a>, ReplyError> {
    let mut from = Vec::with_capacity(args.ids.len());
    let keys: Vec<_> = args.keys.iter().map(|key| ctx.key(key)).collect();
    let entries = ctx.db().get_all(keys.into_iter());
    // How far the group will have read a stream that is named twice.
    let mut reached: Vec<(&[u8], StreamId)> = Vec::new();
    for ((text, entry), key) in args.ids.iter().zip(entries).zip(args.keys) {
        let stream = entry.map(|entry| entry.read::<Stream>().map_err(wrong_type)).transpose()?;
        let found = stream.and_then(|stream| Some((stream, stream.groups().get(args.group)?)));
        let Some((stream, group)) = found else { return Ok(Err(key)) };
        let what = parse_from(text)?;
        let is_ready = match what {
            From::Pending(_) => true,
            From::New => {
                let before = reached.iter().rev().find(|(other, _)| other == key);
                let last = before.map_or(group.last_id, |(_, id)| *id);
                let is_ready = top_of(stream).is_some_and(|top| top > last);
                if args.keys.len() > 1 && is_ready {
                    let from = last.next().expect("something is greater");
                    let range = stream.range(from, StreamId::MAX, false).take(args.count);
                    reached.push((key, range.last().map_or(last, |entry| entry.id)));
                }
                is_ready
            }
        };
        from.push((what, is_ready));
    }
    Ok(Ok(from))
}

fn reply_no_group(key: &[u8], group: &[u8], reply: &mut dyn Reply) {
    let text: [&[u8]; 5] = [
        b"NOGROUP No such key '",
        key,
        b"' or consumer group '",
        group,
        b"' in XREADGROUP with GROUP option",
    ];
    reply.error_words(&text);
}

/// Reads one stream for a consumer, which comes to be if it is missing.
fn deliver(
    args: &ReadArgs<'_>,
    key: &[u8],
    from: From,
    is_ready: bool,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let now_ms = ctx.now.0;
    let mut stream = ctx.edit::<Stream>(key)?.expect("looked up before");
    let mut group = stream.take_group(args.group).expect("looked up before");
    let found = group.find(args.consumer);
    let consumer = found
        .or_else(|| group.add(args.consumer, now_ms))
        .expect("a name is taken or can be added");
    group.consumer_mut(consumer).seen_ms = now_ms;
    if is_ready {
        match from {
            From::Pending(id) => {
                reply_pending(&stream, &mut group, consumer, id, args.count, now_ms, reply);
            }
            From::New => reply_new(&stream, &mut group, consumer, args, now_ms, reply),
        }
    }
    stream.put_group(args.group, group);
    drop(stream);
    if found.is_none() {
        ctx.notify(Class::Stream, "xgroup-createconsumer", key);
        ctx.changed(1);
    }
    // Reading again what is pending changes nothing that others must know.
    ctx.changed((is_ready && from == From::New).into());
    Ok(())
}

fn reply_new(
    stream: &Stream,
    group: &mut Group,
    consumer: ConsumerId,
    args: &ReadArgs<'_>,
    now_ms: u64,
    reply: &mut dyn Reply,
) {
    let from = group.last_id.next().expect("something is greater");
    let range = || stream.range(from, StreamId::MAX, false).take(args.count);
    reply.array(range().count());
    for entry in range() {
        let id = entry.id;
        stream.advance(group, id);
        reply_entry(entry, reply);
        if !args.no_ack {
            group.deliver(id, Pending { delivered_ms: now_ms, count: 1, consumer });
            group.consumer_mut(consumer).active_ms = Some(now_ms);
        }
    }
}

/// Answers what a consumer has not acknowledged; of what is deleted the id alone.
fn reply_pending(
    stream: &Stream,
    group: &mut Group,
    consumer: ConsumerId,
    behind: StreamId,
    count: usize,
    now_ms: u64,
    reply: &mut dyn Reply,
) {
    let from = behind.next();
    let ids: Vec<StreamId> = from.map_or_else(Vec::new, |from| {
        group.consumer(consumer).pending().range(from..).take(count).copied().collect()
    });
    reply.array(ids.len());
    for id in ids {
        match stream.range(id, id, false).next() {
            Some(entry) => {
                reply_entry(entry, reply);
                let mut pending = group.pending()[&id];
                pending.delivered_ms = now_ms;
                pending.count += 1;
                group.deliver(id, pending);
            }
            None => {
                reply.array(2);
                reply_id(id, reply);
                reply.null_array();
            }
        }
    }
}
