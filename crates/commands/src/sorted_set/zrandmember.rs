//! ZRANDMEMBER: members by chance, each as likely as any other.

use std::collections::BTreeSet;

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::SortedSet;

use super::{READS, reply_head, reply_member};
use crate::define::define;

define! { "`ZRANDMEMBER key [count [WITHSCORES]]`", ZRandMember, RandArgs, parse, execute, Spec {
    name: "zrandmember",
    summary: "Returns members by chance.",
    since: "6.2.0",
    complexity: "O(N*log(M)), N members returned of M.",
    syntax: "key [options: count [WITHSCORES]]",
    arity: Arity(-2),
    tips: &["nondeterministic_output"],
    ..READS
}}

/// The arguments of ZRANDMEMBER.
pub struct RandArgs<'a> {
    key: &'a [u8],
    /// Below zero: members may come twice.
    count: Option<i64>,
    with_scores: bool,
}

fn parse<'a>(args: &mut Args<'a>) -> Result<RandArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    if args.left() == 0 {
        return Ok(RandArgs { key, count: None, with_scores: false });
    }
    let count = args.int()?;
    if count == i64::MIN {
        return Err(ReplyError::Text(
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        ));
    }
    let with_scores = args.word("WITHSCORES");
    args.end()?;
    // Twice as many elements are answered.
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(ReplyError::OutOfRange);
    }
    Ok(RandArgs { key, count: Some(count), with_scores })
}

fn execute(args: RandArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let proto = ctx.proto();
    let mut rng = ctx.node.rng.clone();
    // The next command draws on from another place, whatever this one uses.
    ctx.node.rng.next();
    let set = ctx.read::<SortedSet>(args.key)?;
    let len = set.map_or(0, SortedSet::len);
    let Some(count) = args.count else {
        match set.and_then(|set| nth(set, rng.below(len as u64) as usize)) {
            Some((member, _)) => member.with(|member| reply.bulk(member)),
            None => reply.null(),
        }
        return Ok(());
    };
    let Some(set) = set else {
        reply.array(0);
        return Ok(());
    };
    let wanted = count.unsigned_abs() as usize;
    let say = |pair, reply: &mut dyn Reply| reply_member(reply, proto, pair, args.with_scores);
    if count < 0 {
        reply_head(reply, proto, wanted, args.with_scores);
        for _ in 0..wanted {
            let pair = nth(set, rng.below(len as u64) as usize).expect("a rank below the length");
            say(pair, reply);
        }
        return Ok(());
    }
    let wanted = wanted.min(len);
    reply_head(reply, proto, wanted, args.with_scores);
    if wanted == len {
        set.iter().for_each(|pair| say(pair, reply));
        return Ok(());
    }
    for rank in distinct(wanted, len, &mut rng) {
        say(nth(set, rank).expect("a rank below the length"), reply);
    }
    Ok(())
}

fn nth(set: &SortedSet, rank: usize) -> Option<(stoa_value::Str<'_>, f64)> {
    set.range(rank, rank + 1, false).next()
}

/// So many different numbers below `len`, each as likely as any other (Floyd's sampling).
fn distinct(count: usize, len: usize, rng: &mut stoa_stdx::Rng) -> Vec<usize> {
    let (mut seen, mut order) = (BTreeSet::new(), Vec::with_capacity(count));
    for top in len - count..len {
        let drawn = rng.below(top as u64 + 1) as usize;
        let rank = if seen.insert(drawn) { drawn } else { top };
        seen.insert(rank);
        order.push(rank);
    }
    order
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::distinct;

    #[test]
    fn draws_are_distinct_and_every_number_comes_up() {
        let mut rng = Rng::new(1);
        let mut hits = [0; 10];
        for _ in 0..1_000 {
            let mut drawn = distinct(3, 10, &mut rng);
            drawn.iter().for_each(|at| hits[*at] += 1);
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 3);
        }
        assert!(hits.iter().all(|hits| (200..400).contains(hits)), "{hits:?}");
    }
}
