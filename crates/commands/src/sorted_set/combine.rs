//! ZUNION, ZINTER and ZDIFF, stored or not, and ZINTERCARD: several sets as one.
//!
//! Plain sets are taken for sorted ones in which every score is 1. Sets are walked from the smallest
//! to the largest, as the reference does: with fractions the order of additions shows.

use std::collections::BTreeMap;

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec, parse_double,
};
use stoa_engine::{Ctx, Reply};
use stoa_keyspace::EntryRef;
use stoa_value::{Set, SortedSet, Str, Type};

use super::{READS, reply_head, reply_member, store};
use crate::define::define;
use crate::wrong_type;

const fn counted(index: usize) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Index(index),
        find: FindKeys::Count { num: 0, first: 1, step: 1 },
        flags: KeyFlags::RO.with(KeyFlags::ACCESS),
    }
}

const SPEC: Spec = Spec {
    since: "6.2.0",
    complexity: "O(N)+O(M*log(M)), N members in all sets, M in the result.",
    flags: Flags::READONLY.with(Flags::MOVABLE_KEYS),
    keys: &[counted(1)],
    arity: Arity(-3),
    ..READS
};

const STORES: Spec = Spec {
    since: "2.0.0",
    flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::MOVABLE_KEYS),
    keys: &[KeySpec::first(KeyFlags::OW.with(KeyFlags::UPDATE)), counted(2)],
    arity: Arity(-4),
    ..SPEC
};

define! { "`ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`",
ZUnion, CombineArgs, |args| parse(args, Op::Union, "zunion"), execute, Spec {
    name: "zunion",
    summary: "Returns the members of any of the sets.",
    syntax: "numkeys:integer key... [WEIGHTS weight:double...] \
             [AGGREGATE (aggregate: SUM | MIN | MAX)] [WITHSCORES]",
    ..SPEC
}}

define! { "`ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`",
ZInter, CombineArgs, |args| parse(args, Op::Inter, "zinter"), execute, Spec {
    name: "zinter",
    summary: "Returns the members of all of the sets.",
    complexity: "O(N*K)+O(M*log(M)), N members in the smallest of K sets, M in the result.",
    syntax: "numkeys:integer key... [WEIGHTS weight:double...] \
             [AGGREGATE (aggregate: SUM | MIN | MAX)] [WITHSCORES]",
    ..SPEC
}}

define! { "`ZDIFF numkeys key [key ...] [WITHSCORES]`",
ZDiff, CombineArgs, |args| parse(args, Op::Diff, "zdiff"), execute, Spec {
    name: "zdiff",
    summary: "Returns the members of the first set that no other has.",
    syntax: "numkeys:integer key... [WITHSCORES]",
    ..SPEC
}}

define! { "`ZINTERCARD numkeys key [key ...] [LIMIT limit]`",
ZInterCard, CombineArgs, |args| parse(args, Op::Card, "zintercard"), execute, Spec {
    name: "zintercard",
    summary: "Counts the members of all of the sets.",
    since: "7.0.0",
    complexity: "O(N*K), N members in the smallest of K sets.",
    syntax: "numkeys:integer key... [LIMIT limit:integer]",
    ..SPEC
}}

define! { "`ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`",
ZUnionStore, CombineArgs, |args| parse_store(args, Op::Union, "zunionstore"), execute, Spec {
    name: "zunionstore",
    summary: "Stores the members of any of the sets.",
    syntax: "destination numkeys:integer key... [WEIGHTS weight:double...] \
             [AGGREGATE (aggregate: SUM | MIN | MAX)]",
    ..STORES
}}

define! { "`ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`",
ZInterStore, CombineArgs, |args| parse_store(args, Op::Inter, "zinterstore"), execute, Spec {
    name: "zinterstore",
    summary: "Stores the members of all of the sets.",
    complexity: "O(N*K)+O(M*log(M)), N members in the smallest of K sets, M in the result.",
    syntax: "destination numkeys:integer key... [WEIGHTS weight:double...] \
             [AGGREGATE (aggregate: SUM | MIN | MAX)]",
    ..STORES
}}

define! { "`ZDIFFSTORE destination numkeys key [key ...]`",
ZDiffStore, CombineArgs, |args| parse_store(args, Op::Diff, "zdiffstore"), execute, Spec {
    name: "zdiffstore",
    summary: "Stores the members of the first set that no other has.",
    since: "6.2.0",
    syntax: "destination numkeys:integer key...",
    ..STORES
}}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Union,
    Inter,
    Diff,
    /// As [`Op::Inter`], only counted.
    Card,
}

/// What becomes of the scores of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            // Infinity less infinity counts as nothing.
            Self::Sum => Some(one + other).filter(|sum| !sum.is_nan()).unwrap_or(0.0),
            Self::Min => one.min(other),
            Self::Max => one.max(other),
        }
    }
}

/// The arguments of all of them.
pub struct CombineArgs<'a> {
    op: Op,
    name: &'static str,
    into: Option<&'a [u8]>,
    keys: &'a [&'a [u8]],
    /// A wrong option is refused behind a wrong type.
    options: Result<Options, ReplyError>,
}

#[derive(Clone, Debug)]
struct Options {
    /// One a key, or none: all 1.
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    /// 0: none.
    limit: usize,
}

fn parse_store<'a>(
    args: &mut Args<'a>,
    op: Op,
    name: &'static str,
) -> Result<CombineArgs<'a>, ReplyError> {
    let into = args.bytes()?;
    parse_into(args, op, name, Some(into))
}

fn parse<'a>(
    args: &mut Args<'a>,
    op: Op,
    name: &'static str,
) -> Result<CombineArgs<'a>, ReplyError> {
    parse_into(args, op, name, None)
}

fn parse_into<'a>(
    args: &mut Args<'a>,
    op: Op,
    name: &'static str,
    into: Option<&'a [u8]>,
) -> Result<CombineArgs<'a>, ReplyError> {
    let key_count = args.int()?;
    if key_count < 1 {
        return Err(too_few(name));
    }
    let words = args.rest();
    let (keys, rest) = words.split_at_checked(key_count as usize).ok_or(ReplyError::Syntax)?;
    let options = parse_options(&mut Args::new(rest, 0), keys.len(), op, into.is_some());
    Ok(CombineArgs { op, name, into, keys, options })
}

fn parse_options(
    args: &mut Args<'_>,
    key_count: usize,
    op: Op,
    stores: bool,
) -> Result<Options, ReplyError> {
    let merges = matches!(op, Op::Union | Op::Inter);
    let mut options =
        Options { weights: Vec::new(), aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
    while args.left() > 0 {
        if merges && args.left() > key_count && args.word("WEIGHTS") {
            let bad = ReplyError::Text("ERR weight value is not a float");
            let mut weight = || parse_double(args.bytes()?).ok_or(bad);
            options.weights = (0..key_count).map(|_| weight()).collect::<Result<_, _>>()?;
        } else if merges && args.left() > 1 && args.word("AGGREGATE") {
            options.aggregate = args.choice(&[
                ("SUM", Aggregate::Sum),
                ("MIN", Aggregate::Min),
                ("MAX", Aggregate::Max),
            ])?;
        } else if !stores && op != Op::Card && args.word("WITHSCORES") {
            options.with_scores = true;
        } else if op == Op::Card && args.left() > 1 && args.word("LIMIT") {
            let negative = ReplyError::Text("ERR LIMIT can't be negative");
            options.limit = args.int_in(0..=i64::MAX, negative)? as usize;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(options)
}

fn too_few(name: &str) -> ReplyError {
    ReplyError::Text(match name {
        "zunion" => "ERR at least 1 input key is needed for 'zunion' command",
        "zinter" => "ERR at least 1 input key is needed for 'zinter' command",
        "zdiff" => "ERR at least 1 input key is needed for 'zdiff' command",
        "zunionstore" => "ERR at least 1 input key is needed for 'zunionstore' command",
        "zinterstore" => "ERR at least 1 input key is needed for 'zinterstore' command",
        "zdiffstore" => "ERR at least 1 input key is needed for 'zdiffstore' command",
        _ => "ERR at least 1 input key is needed for 'zintercard' command",
    })
}

/// One of the sets, of either type.
#[derive(Clone, Copy)]
enum Source<'a> {
    Sorted(&'a SortedSet),
    Plain(&'a Set),
    Missing,
}

impl<'a> Source<'a> {
    fn of(entry: Option<EntryRef<'a>>) -> Result<Self, ReplyError> {
        let Some(entry) = entry else { return Ok(Self::Missing) };
        if entry.ty() == Type::Set {
            return Ok(Self::Plain(entry.read().map_err(wrong_type)?));
        }
        Ok(Self::Sorted(entry.read().map_err(wrong_type)?))
    }

    fn len(self) -> usize {
        match self {
            Self::Sorted(set) => set.len(),
            Self::Plain(set) => set.len(),
            Self::Missing => 0,
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Sorted(set) => set.score(member),
            Self::Plain(set) => set.contains(member).then_some(1.0),
            Self::Missing => None,
        }
    }

    /// Hands over all members until `each` says no.
    fn try_for_each(self, mut each: impl FnMut(&[u8], f64) -> bool) {
        match self {
            Self::Sorted(set) => {
                let _ = set.iter().all(|(member, score)| member.with(|member| each(member, score)));
            }
            Self::Plain(set) => {
                let _ = set.iter().all(|member| member.with(|member| each(member, 1.0)));
            }
            Self::Missing => {}
        }
    }
}

/// Times a weight; infinity times zero counts as nothing.
fn weighed(score: f64, weight: f64) -> f64 {
    Some(score * weight).filter(|score| !score.is_nan()).unwrap_or(0.0)
}

/// Members with their scores, in the end in order.
type Pairs = Vec<(f64, Vec<u8>)>;

/// The members of any of the sets.
fn union(sources: &[(Source<'_>, f64)], aggregate: Aggregate) -> Pairs {
    let mut result: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
    for (source, weight) in sources {
        source.try_for_each(|member, score| {
            let score = weighed(score, *weight);
            match result.get_mut(member) {
                Some(sum) => *sum = aggregate.of(*sum, score),
                None => drop(result.insert(member.to_vec(), score)),
            }
            true
        });
    }
    result.into_iter().map(|(member, score)| (score, member)).collect()
}

/// Hands over the members of all of the sets until `each` says no.
fn intersect(
    sources: &[(Source<'_>, f64)],
    aggregate: Aggregate,
    mut each: impl FnMut(&[u8], f64) -> bool,
) {
    let [(first, weight), others @ ..] = sources else { return };
    first.try_for_each(|member, score| {
        let all = others.iter().try_fold(weighed(score, *weight), |sum, (source, weight)| {
            Some(aggregate.of(sum, source.score(member)? * weight))
        });
        all.is_none_or(|score| each(member, score))
    });
}

fn execute(
    args: CombineArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let (proto, rules) = (ctx.proto(), ctx.rules());
    let keys: Vec<_> = args.keys.iter().map(|key| ctx.key(key)).collect();
    let entries = ctx.db().get_all(keys.into_iter());
    let sources = entries.into_iter().map(Source::of).collect::<Result<Vec<_>, _>>()?;
    let options = args.options?;
    let weights = options.weights.iter().copied().chain(std::iter::repeat(1.0));
    let mut sources: Vec<_> = sources.into_iter().zip(weights).collect();
    if args.op != Op::Diff {
        sources.sort_by_key(|(source, _)| source.len());
    }
    if args.op == Op::Card {
        let mut count = 0;
        intersect(&sources, options.aggregate, |_, _| {
            count += 1;
            count != options.limit
        });
        reply.int(count as i64);
        return Ok(());
    }
    let pairs = combined(args.op, &sources, options.aggregate);
    let Some(into) = args.into else {
        reply_head(reply, proto, pairs.len(), options.with_scores);
        for (score, member) in &pairs {
            reply_member(reply, proto, (Str::Bytes(member), *score), options.with_scores);
        }
        return Ok(());
    };
    reply.int(pairs.len() as i64);
    let mut result = SortedSet::default();
    let longest = pairs.iter().map(|(_, member)| member.len()).max();
    result.expect(pairs.len(), longest.unwrap_or(0), &rules);
    for (score, member) in &pairs {
        result.insert(member, *score, &rules);
    }
    let into = ctx.key(into);
    store(result, args.name, &into, ctx);
    Ok(())
}

/// The result in order.
fn combined(op: Op, sources: &[(Source<'_>, f64)], aggregate: Aggregate) -> Pairs {
    let mut pairs = Pairs::new();
    match op {
        Op::Union => pairs = union(sources, aggregate),
        Op::Inter | Op::Card => intersect(sources, aggregate, |member, score| {
            pairs.push((score, member.to_vec()));
            true
        }),
        Op::Diff => {
            let (first, others) = sources.split_first().expect("one key at least");
            first.0.try_for_each(|member, score| {
                if others.iter().all(|(source, _)| source.score(member).is_none()) {
                    pairs.push((score, member.to_vec()));
                }
                true
            });
        }
    }
    pairs.sort_by(|(a, one), (b, other)| {
        a.partial_cmp(b).expect("no score is NaN").then_with(|| one.cmp(other))
    });
    pairs
}
