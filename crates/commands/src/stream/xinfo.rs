//! XINFO: how a stream, its groups and their consumers stand.

use stoa_command::{
    Args, Arity, Category, Flags, Group as Page, KeyFlags, KeySpec, ReplyError, Spec,
};
use stoa_engine::{Ctx, Reply};
use stoa_value::{Consumer, Group, Stream as Value, StreamEntry, StreamId};

use super::xrange::reply_range;
use super::{reply_entry, reply_id};
use crate::define::define;

/// `XINFO`
pub const CONTAINER: Spec = Spec {
    name: "xinfo",
    summary: "Holds the commands that tell of streams.",
    since: "5.0.0",
    group: Page::Stream,
    complexity: "Depends on the subcommand.",
    arity: Arity(-2),
    ..Spec::DEFAULT
};

/// `XINFO HELP`
pub const HELP: Spec = Spec {
    name: "xinfo|help",
    summary: "Lists the subcommands.",
    arity: Arity(2),
    flags: Flags::LOADING.with(Flags::STALE),
    categories: &[Category::Stream],
    complexity: "O(1)",
    ..CONTAINER
};

const SPEC: Spec = Spec {
    flags: Flags::READONLY,
    categories: &[Category::Stream],
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO.with(KeyFlags::ACCESS))],
    complexity: "O(1)",
    ..CONTAINER
};

define! { "`XINFO STREAM key [FULL [COUNT count]]`", Stream, StreamArgs, parse, stream, Spec {
    name: "xinfo|stream",
    summary: "Tells how a stream stands, with FULL down to what is pending.",
    syntax: "key [full-block: FULL [COUNT count:integer]]",
    arity: Arity(-3),
    ..SPEC
}}

define! { "`XINFO GROUPS key`", Groups, Key, Args::bytes, groups, Spec {
    name: "xinfo|groups",
    summary: "Lists the groups of a stream.",
    syntax: "key",
    arity: Arity(3),
    ..SPEC
}}

define! { "`XINFO CONSUMERS key group`", Consumers, GroupArgs, parse_group, consumers, Spec {
    name: "xinfo|consumers",
    summary: "Lists the consumers of a group.",
    syntax: "key group",
    arity: Arity(4),
    tips: &["nondeterministic_output"],
    ..SPEC
}}

/// Entries, and pending ones, that FULL shows if it is not told how many.
const FULL_COUNT: usize = 10;

type Key<'a> = &'a [u8];

/// The arguments of XINFO STREAM.
pub struct StreamArgs<'a> {
    key: &'a [u8],
    /// How much of each list is shown, when all is asked for.
    full: Option<usize>,
    /// The subcommand as it was written, when an option is none of it.
    wrong: Option<&'a [u8]>,
    /// What is wrong with the count. It is said only of a key that is there, like the above.
    bad_count: Option<ReplyError>,
}

/// A group.
pub struct GroupArgs<'a> {
    key: &'a [u8],
    group: &'a [u8],
}

fn parse<'a>(args: &mut Args<'a>) -> Result<StreamArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    let mut parsed = StreamArgs { key, full: None, wrong: None, bad_count: None };
    let left = args.left();
    if left == 0 {
        return Ok(parsed);
    }
    if !args.word("FULL") || !(left == 1 || left == 3 && args.word("COUNT")) {
        parsed.wrong = args.at(1);
        return Ok(parsed);
    }
    parsed.full = Some(FULL_COUNT);
    if left == 3 {
        match args.int() {
            Ok(0) => parsed.full = Some(usize::MAX),
            Ok(count) => parsed.full = Some(usize::try_from(count).unwrap_or(FULL_COUNT)),
            Err(error) => parsed.bad_count = Some(error),
        }
    }
    Ok(parsed)
}

fn parse_group<'a>(args: &mut Args<'a>) -> Result<GroupArgs<'a>, ReplyError> {
    Ok(GroupArgs { key: args.bytes()?, group: args.bytes()? })
}

fn stream(
    args: StreamArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let value = ctx.read::<Value>(args.key)?.ok_or(ReplyError::NoSuchKey)?;
    if let Some(word) = args.wrong {
        let after = "'. Try XINFO HELP.";
        reply.error_echo("ERR unknown subcommand or wrong number of arguments for '", word, after);
        return Ok(());
    }
    if let Some(error) = args.bad_count {
        return Err(error);
    }
    reply.map(if args.full.is_some() { 9 } else { 10 });
    let numbers = [
        ("length", value.len()),
        ("radix-tree-keys", value.block_count()),
        ("radix-tree-nodes", value.tree_node_count()),
    ];
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.int(number as i64);
    }
    reply.bulk(b"last-generated-id");
    reply_id(value.last_id(), reply);
    reply.bulk(b"max-deleted-entry-id");
    reply_id(value.max_deleted_id(), reply);
    reply.bulk(b"entries-added");
    reply.int(value.entries_added() as i64);
    reply.bulk(b"recorded-first-entry-id");
    reply_id(value.first_id(), reply);
    match args.full {
        Some(count) => full(value, count, reply),
        None => {
            reply.bulk(b"groups");
            reply.int(value.groups().len() as i64);
            reply.bulk(b"first-entry");
            reply_edge(value, false, reply);
            reply.bulk(b"last-entry");
            reply_edge(value, true, reply);
        }
    }
    Ok(())
}

fn reply_edge(value: &Value, last: bool, reply: &mut dyn Reply) {
    let edge: Option<StreamEntry<'_>> = value.range(StreamId::MIN, StreamId::MAX, last).next();
    match edge {
        Some(entry) => reply_entry(entry, reply),
        None => reply.null(),
    }
}

fn full(value: &Value, count: usize, reply: &mut dyn Reply) {
    reply.bulk(b"entries");
    reply_range(|| value.iter(), count, reply);
    reply.bulk(b"groups");
    reply.array(value.groups().len());
    for (name, group) in value.groups() {
        reply.map(7);
        reply_group(name, group, value, reply);
        reply.bulk(b"pel-count");
        reply.int(group.pending().len() as i64);
        reply.bulk(b"pending");
        reply.array(group.pending().len().min(count));
        for (id, pending) in group.pending().iter().take(count) {
            reply.array(4);
            reply_id(*id, reply);
            reply.bulk(&group.consumer(pending.consumer).name);
            reply.int(pending.delivered_ms as i64);
            reply.int(pending.count as i64);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumers().len());
        group.consumers().for_each(|consumer| full_consumer(group, consumer, count, reply));
    }
}

/// What all lists of groups tell of one, but for what is pending.
fn reply_group(name: &[u8], group: &Group, value: &Value, reply: &mut dyn Reply) {
    reply.bulk(b"name");
    reply.bulk(name);
    reply.bulk(b"last-delivered-id");
    reply_id(group.last_id, reply);
    reply.bulk(b"entries-read");
    reply_number(group.entries_read.map(|read| read as i64), reply);
    reply.bulk(b"lag");
    reply_number(value.lag(group), reply);
}

fn reply_number(number: Option<i64>, reply: &mut dyn Reply) {
    match number {
        Some(number) => reply.int(number),
        None => reply.null(),
    }
}

fn full_consumer(group: &Group, consumer: &Consumer, count: usize, reply: &mut dyn Reply) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(&consumer.name);
    reply.bulk(b"seen-time");
    reply.int(consumer.seen_ms as i64);
    reply.bulk(b"active-time");
    reply.int(consumer.active_ms.map_or(-1, |ms| ms as i64));
    reply.bulk(b"pel-count");
    reply.int(consumer.pending().len() as i64);
    reply.bulk(b"pending");
    reply.array(consumer.pending().len().min(count));
    for id in consumer.pending().iter().take(count) {
        let pending = group.pending()[id];
        reply.array(3);
        reply_id(*id, reply);
        reply.int(pending.delivered_ms as i64);
        reply.int(pending.count as i64);
    }
}

fn groups(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let value = ctx.read::<Value>(key)?.ok_or(ReplyError::NoSuchKey)?;
    reply.array(value.groups().len());
    for (name, group) in value.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"consumers");
        reply.int(group.consumers().len() as i64);
        reply.bulk(b"pending");
        reply.int(group.pending().len() as i64);
        reply.bulk(b"last-delivered-id");
        reply_id(group.last_id, reply);
        reply.bulk(b"entries-read");
        reply_number(group.entries_read.map(|read| read as i64), reply);
        reply.bulk(b"lag");
        reply_number(value.lag(group), reply);
    }
    Ok(())
}

fn consumers(
    args: GroupArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let now_ms = ctx.now.0;
    let value = ctx.read::<Value>(args.key)?.ok_or(ReplyError::NoSuchKey)?;
    let Some(group) = value.groups().get(args.group) else {
        let text: [&[u8]; 5] =
            [b"NOGROUP No such consumer group '", args.group, b"' for key name '", args.key, b"'"];
        reply.error_text(&text.concat());
        return Ok(());
    };
    reply.array(group.consumers().len());
    for consumer in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(&consumer.name);
        reply.bulk(b"pending");
        reply.int(consumer.pending().len() as i64);
        reply.bulk(b"idle");
        reply.int(now_ms.saturating_sub(consumer.seen_ms) as i64);
        reply.bulk(b"inactive");
        reply.int(consumer.active_ms.map_or(-1, |ms| now_ms.saturating_sub(ms) as i64));
    }
    Ok(())
}
