//! ZPOPMIN, ZPOPMAX, ZMPOP and their waiting forms: the members of lowest or highest score leave.

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec,
};
use stoa_engine::{Block, Class, Ctx, OnTimeout, Proto, Reply};
use stoa_value::{SortedSet, Str, Type};

use super::{READS, notify_gone, reply_head, reply_member};
use crate::define::define;

const POPS: KeyFlags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE);

const SPEC: Spec = Spec {
    flags: Flags::WRITE.with(Flags::FAST),
    since: "5.0.0",
    complexity: "O(log(N)*M), M members popped of N.",
    keys: &[KeySpec::first(POPS)],
    arity: Arity(-2),
    ..READS
};

const WAITS: Spec = Spec {
    flags: Flags::WRITE.with(Flags::BLOCKING).with(Flags::FAST),
    complexity: "O(log(N)), N members in the set.",
    keys: &[KeySpec::range(1, -2, 1, POPS)],
    syntax: "key... timeout:double",
    arity: Arity(-3),
    ..SPEC
};

const fn counted(index: usize) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Index(index),
        find: FindKeys::Count { num: 0, first: 1, step: 1 },
        flags: POPS,
    }
}

define! { "`ZPOPMIN key [count]`", ZPopMin, PopArgs, |args| parse_one(args, End::Min), execute, Spec {
    name: "zpopmin",
    summary: "Removes and returns the members of lowest score.",
    syntax: "key [count:integer]",
    ..SPEC
}}

define! { "`ZPOPMAX key [count]`", ZPopMax, PopArgs, |args| parse_one(args, End::Max), execute, Spec {
    name: "zpopmax",
    summary: "Removes and returns the members of highest score.",
    syntax: "key [count:integer]",
    ..SPEC
}}

define! { "`ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]`",
ZMPop, PopArgs, |args| parse_counted(args, false), execute, Spec {
    name: "zmpop",
    summary: "Removes and returns the outermost members of the first set that has any.",
    since: "7.0.0",
    complexity: "O(K)+O(M*log(N)), K keys looked at, M members popped of N.",
    syntax: "numkeys:integer key... (where: MIN | MAX) [COUNT count:integer]",
    arity: Arity(-4),
    flags: Flags::WRITE.with(Flags::MOVABLE_KEYS),
    keys: &[counted(1)],
    ..SPEC
}}

define! { "`BZPOPMIN key [key ...] timeout`",
BZPopMin, PopArgs, |args| parse_waiting(args, End::Min), execute, Spec {
    name: "bzpopmin",
    summary: "Removes and returns the member of lowest score of the first set that has any, or waits.",
    ..WAITS
}}

define! { "`BZPOPMAX key [key ...] timeout`",
BZPopMax, PopArgs, |args| parse_waiting(args, End::Max), execute, Spec {
    name: "bzpopmax",
    summary: "Removes and returns the member of highest score of the first set that has any, or waits.",
    ..WAITS
}}

define! { "`BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count]`",
BZMPop, PopArgs, |args| parse_counted(args, true), execute, Spec {
    name: "bzmpop",
    summary: "Removes and returns the outermost members of the first set that has any, or waits.",
    since: "7.0.0",
    complexity: "O(K)+O(M*log(N)), K keys looked at, M members popped of N.",
    syntax: "timeout:double numkeys:integer key... (where: MIN | MAX) [COUNT count:integer]",
    arity: Arity(-5),
    flags: Flags::WRITE.with(Flags::BLOCKING).with(Flags::MOVABLE_KEYS),
    keys: &[counted(2)],
    ..SPEC
}}

/// Where members are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

/// How the reply looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One key, one member: flat.
    One,
    /// One key, so many members: as ranges with scores look.
    Several,
    /// The key, then member and score.
    KeyFirst,
    /// The key, then pairs.
    KeyAndPairs,
}

/// The arguments of all of them.
pub struct PopArgs<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
    shape: Shape,
    /// How long to wait if there is nothing, milliseconds; 0: for ever.
    wait_ms: Option<u64>,
}

fn parse_one<'a>(args: &mut Args<'a>, end: End) -> Result<PopArgs<'a>, ReplyError> {
    let key = args.rest();
    let (shape, count) = match key {
        [_] => (Shape::One, 1),
        [_, count] => {
            let count = stoa_command::parse_int(count).and_then(|count| count.try_into().ok());
            (Shape::Several, count.ok_or(ReplyError::NotPositive)?)
        }
        _ => return Err(ReplyError::Syntax),
    };
    Ok(PopArgs { keys: &key[..1], end, count, shape, wait_ms: None })
}

fn parse_waiting<'a>(args: &mut Args<'a>, end: End) -> Result<PopArgs<'a>, ReplyError> {
    let words = args.rest();
    let (timeout, keys) = words.split_last().ok_or(ReplyError::Syntax)?;
    let wait_ms = Some(crate::timeout::parse_seconds(timeout)?);
    Ok(PopArgs { keys, end, count: 1, shape: Shape::KeyFirst, wait_ms })
}

fn parse_counted<'a>(args: &mut Args<'a>, waits: bool) -> Result<PopArgs<'a>, ReplyError> {
    let wait_ms = if waits { Some(crate::timeout::parse_seconds(args.bytes()?)?) } else { None };
    let few = ReplyError::Text("ERR numkeys should be greater than 0");
    let key_count = args.int_in(1..=i64::MAX, few)? as usize;
    let words = args.rest();
    let (keys, rest) = words.split_at_checked(key_count).ok_or(ReplyError::Syntax)?;
    let mut rest = Args::new(rest, 0);
    let end = rest.choice(&[("MIN", End::Min), ("MAX", End::Max)])?;
    let mut count = 1;
    if rest.left() > 1 && rest.word("COUNT") {
        let few = ReplyError::Text("ERR count should be greater than 0");
        count = rest.int_in(1..=i64::MAX, few)? as usize;
    }
    rest.end()?;
    Ok(PopArgs { keys, end, count, shape: Shape::KeyAndPairs, wait_ms })
}

fn execute(args: PopArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    if pop(&args, ctx, reply)? {
        return Ok(());
    }
    match (args.shape, args.wait_ms) {
        (Shape::One | Shape::Several, _) => reply.array(0),
        (Shape::KeyFirst | Shape::KeyAndPairs, None) => reply.null_array(),
        (Shape::KeyFirst | Shape::KeyAndPairs, Some(wait_ms)) => {
            let block = Block {
                keys: crate::timeout::keys(args.keys),
                wants: Type::SortedSet,
                also_gone: false,
                until: crate::timeout::until(wait_ms, ctx),
                on_timeout: OnTimeout::NullArray,
                argv: None,
            };
            if !ctx.block(block) {
                reply.null_array();
            }
        }
    }
    Ok(())
}

/// Pops from the first key that has members, and answers. False when none has.
fn pop(args: &PopArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<bool, ReplyError> {
    let proto = ctx.proto();
    for key in args.keys {
        let Some(mut set) = ctx.edit::<SortedSet>(key)? else { continue };
        let count = args.count.min(set.len());
        if count == 0 {
            reply.array(0);
            return Ok(true);
        }
        head(args.shape, key, count, proto, reply);
        for _ in 0..count {
            let rank = match args.end {
                End::Min => 0,
                End::Max => set.len() - 1,
            };
            set.remove_range(rank, 1, &mut |member, score| match args.shape {
                Shape::One | Shape::KeyFirst => {
                    reply.bulk(member);
                    reply.double(score);
                }
                Shape::Several => reply_member(reply, proto, (Str::Bytes(member), score), true),
                Shape::KeyAndPairs => {
                    reply.array(2);
                    reply.bulk(member);
                    reply.double(score);
                }
            });
        }
        let is_gone = set.is_empty();
        drop(set);
        let event = match args.end {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        };
        ctx.notify(Class::SortedSet, event, key);
        notify_gone(is_gone, key, ctx);
        ctx.changed(count as u64);
        return Ok(true);
    }
    Ok(false)
}

fn head(shape: Shape, key: &[u8], count: usize, proto: Proto, reply: &mut dyn Reply) {
    match shape {
        Shape::One => reply.array(2),
        Shape::Several => reply_head(reply, proto, count, true),
        Shape::KeyFirst => {
            reply.array(3);
            reply.bulk(key);
        }
        Shape::KeyAndPairs => {
            reply.array(2);
            reply.bulk(key);
            reply.array(count);
        }
    }
}
