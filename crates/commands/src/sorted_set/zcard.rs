//! ZCARD, ZSCORE and ZMSCORE: how many members, and their scores.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::SortedSet;

use super::READS;
use crate::define::define;

const FAST: Spec = Spec { flags: Flags::READONLY.with(Flags::FAST), ..READS };

define! { "`ZCARD key`", ZCard, Bytes, Args::bytes, card, Spec {
    name: "zcard",
    summary: "Counts the members.",
    since: "1.2.0",
    syntax: "key",
    arity: Arity(2),
    keys: &[KeySpec::first(KeyFlags::RO)],
    ..FAST
}}

define! { "`ZSCORE key member`", ZScore, Members, members, score, Spec {
    name: "zscore",
    summary: "Returns the score of a member.",
    since: "1.2.0",
    syntax: "key member",
    arity: Arity(3),
    ..FAST
}}

define! { "`ZMSCORE key member [member ...]`", ZMScore, Members, members, scores, Spec {
    name: "zmscore",
    summary: "Returns the scores of several members.",
    since: "6.2.0",
    complexity: "O(N), N members asked for.",
    syntax: "key member...",
    arity: Arity(-3),
    ..FAST
}}

type Bytes<'a> = &'a [u8];

/// A key and members of it.
pub struct Members<'a> {
    key: &'a [u8],
    members: &'a [&'a [u8]],
}

fn members<'a>(args: &mut Args<'a>) -> Result<Members<'a>, ReplyError> {
    Ok(Members { key: args.bytes()?, members: args.rest() })
}

fn card(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let set = ctx.read::<SortedSet>(key)?;
    reply.int(set.map_or(0, SortedSet::len) as i64);
    Ok(())
}

fn score(args: Members<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let set = ctx.read::<SortedSet>(args.key)?;
    args.members.iter().for_each(|member| reply_score(set, member, reply));
    Ok(())
}

fn scores(args: Members<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    reply.array(args.members.len());
    score(args, ctx, reply)
}

fn reply_score(set: Option<&SortedSet>, member: &[u8], reply: &mut dyn Reply) {
    match set.and_then(|set| set.score(member)) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}
