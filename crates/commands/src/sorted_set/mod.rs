//! Sorted sets: distinct members in the order of their scores.

mod bounds;
mod combine;
pub(crate) mod zadd;
mod zcard;
mod zcount;
mod zpop;
mod zrandmember;
mod zrange;
mod zrank;
mod zrem;
mod zremrange;
mod zscan;

use stoa_command::{Arity, Category, Flags, Group, KeyFlags, KeySpec, Spec};
use stoa_engine::{Class, Ctx, Entry, Proto, Reply, entry};
use stoa_keyspace::{Owned, Value};
use stoa_stdx::Key;
use stoa_value::{Kind, SortedSet, Str};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<zpop::BZMPop>(),
    entry::<zpop::BZPopMax>(),
    entry::<zpop::BZPopMin>(),
    entry::<zadd::ZAdd>(),
    entry::<zcard::ZCard>(),
    entry::<zcount::ZCount>(),
    entry::<combine::ZDiff>(),
    entry::<combine::ZDiffStore>(),
    entry::<zadd::ZIncrBy>(),
    entry::<combine::ZInter>(),
    entry::<combine::ZInterCard>(),
    entry::<combine::ZInterStore>(),
    entry::<zcount::ZLexCount>(),
    entry::<zpop::ZMPop>(),
    entry::<zcard::ZMScore>(),
    entry::<zpop::ZPopMax>(),
    entry::<zpop::ZPopMin>(),
    entry::<zrandmember::ZRandMember>(),
    entry::<zrange::ZRange>(),
    entry::<zrange::ZRangeByLex>(),
    entry::<zrange::ZRangeByScore>(),
    entry::<zrange::ZRangeStore>(),
    entry::<zrank::ZRank>(),
    entry::<zrem::ZRem>(),
    entry::<zremrange::ZRemRangeByLex>(),
    entry::<zremrange::ZRemRangeByRank>(),
    entry::<zremrange::ZRemRangeByScore>(),
    entry::<zrange::ZRevRange>(),
    entry::<zrange::ZRevRangeByLex>(),
    entry::<zrange::ZRevRangeByScore>(),
    entry::<zrank::ZRevRank>(),
    entry::<zscan::ZScan>(),
    entry::<zcard::ZScore>(),
    entry::<combine::ZUnion>(),
    entry::<combine::ZUnionStore>(),
];

/// What reads one sorted set.
const READS: Spec = Spec {
    group: Group::SortedSet,
    flags: Flags::READONLY,
    categories: &[Category::SortedSet],
    keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
    arity: Arity(4),
    ..Spec::DEFAULT
};

/// What removes members of one sorted set.
const REMOVES: Spec = Spec {
    flags: Flags::WRITE,
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
    ..READS
};

/// The head of a reply of `count` members, with scores or without.
pub(crate) fn reply_head(reply: &mut dyn Reply, proto: Proto, count: usize, with_scores: bool) {
    reply.array(if with_scores && proto == Proto::Resp2 { count * 2 } else { count });
}

/// One member of such a reply: a pair of its own in RESP3.
pub(crate) fn reply_member(
    reply: &mut dyn Reply,
    proto: Proto,
    (member, score): (Str<'_>, f64),
    with_scores: bool,
) {
    if with_scores && proto == Proto::Resp3 {
        reply.array(2);
    }
    member.with(|member| reply.bulk(member));
    if with_scores {
        reply.double(score);
    }
}

/// Says that a change left nothing of a key.
pub(crate) fn notify_gone(is_gone: bool, key: &[u8], ctx: &mut Ctx<'_>) {
    if is_gone {
        ctx.notify(Class::Generic, "del", key);
    }
}

/// Stores a result under `key`, whatever was there; without members nothing is there afterwards.
pub(crate) fn store(set: SortedSet, event: &'static str, key: &Key<'_>, ctx: &mut Ctx<'_>) {
    if set.is_empty() {
        if ctx.db().remove(key) {
            ctx.notify(Class::Generic, "del", key.bytes);
            ctx.changed(1);
        }
        return;
    }
    let mut db = ctx.db();
    let value = Value::Object(set.into_object());
    db.store(key, Owned { value, deadline: None, clock: 0 });
    ctx.notify(Class::SortedSet, event, key.bytes);
    ctx.changed(1);
}
