//! ZRANK and ZREVRANK: a member's place in the order.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::SortedSet;

use super::READS;
use crate::define::define;

const SPEC: Spec = Spec {
    flags: Flags::READONLY.with(Flags::FAST),
    since: "2.0.0",
    complexity: "O(log(N)), N members in the set.",
    syntax: "key member [WITHSCORE]",
    arity: Arity(-3),
    ..READS
};

define! { "`ZRANK key member [WITHSCORE]`", ZRank, RankArgs, |args| parse(args, "zrank"),
|args, ctx, reply| execute(args, false, ctx, reply), Spec {
    name: "zrank",
    summary: "Returns the rank of a member, from the lowest score.",
    ..SPEC
}}

define! { "`ZREVRANK key member [WITHSCORE]`", ZRevRank, RankArgs, |args| parse(args, "zrevrank"),
|args, ctx, reply| execute(args, true, ctx, reply), Spec {
    name: "zrevrank",
    summary: "Returns the rank of a member, from the highest score.",
    ..SPEC
}}

/// The arguments of ZRANK and ZREVRANK.
pub struct RankArgs<'a> {
    key: &'a [u8],
    member: &'a [u8],
    with_score: bool,
}

fn parse<'a>(args: &mut Args<'a>, name: &'static str) -> Result<RankArgs<'a>, ReplyError> {
    let (key, member) = (args.bytes()?, args.bytes()?);
    if args.left() > 1 {
        return Err(ReplyError::WrongArity(name));
    }
    let with_score = args.word("WITHSCORE");
    args.end()?;
    Ok(RankArgs { key, member, with_score })
}

fn execute(
    args: RankArgs<'_>,
    backwards: bool,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let set = ctx.read::<SortedSet>(args.key)?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(args.member)?;
        Some((if backwards { set.len() - 1 - rank } else { rank }, score))
    });
    match (found, args.with_score) {
        (Some((rank, score)), true) => {
            reply.array(2);
            reply.int(rank as i64);
            reply.double(score);
        }
        (Some((rank, _)), false) => reply.int(rank as i64),
        (None, true) => reply.null_array(),
        (None, false) => reply.null(),
    }
    Ok(())
}
