//! ZADD and ZINCRBY: members get scores.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec, parse_double};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::{Rules, SortedSet};

use super::READS;
use crate::define::define;

const WRITES: Spec = Spec {
    flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
    ..READS
};

define! { "`ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`",
ZAdd, ZAddArgs, parse, execute, Spec {
    name: "zadd",
    summary: "Gives members their scores; adds those that are missing.",
    since: "1.2.0",
    complexity: "O(log(N)) for each member, N members in the set.",
    syntax: "key [condition: NX | XX] [comparison: GT | LT] [change: CH] [increment: INCR] \
             (data: score:double member)...",
    arity: Arity(-4),
    ..WRITES
}}

define! { "`ZINCRBY key increment member`", ZIncrBy, ZAddArgs, parse_incr, execute, Spec {
    name: "zincrby",
    summary: "Adds to the score of a member; adds the member if it is missing.",
    since: "1.2.0",
    complexity: "O(log(N)), N members in the set.",
    syntax: "key increment:double member",
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
    ..WRITES
}}

/// When a score is set.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent options of the command")]
pub(crate) struct Rule {
    /// Only of members that are missing.
    pub(crate) nx: bool,
    /// Only of members that are there.
    pub(crate) xx: bool,
    gt: bool,
    lt: bool,
    incr: bool,
}

/// The arguments of ZADD and ZINCRBY.
pub struct ZAddArgs<'a> {
    key: &'a [u8],
    rule: Rule,
    /// Changes are counted, too.
    ch: bool,
    /// Score and member by turns.
    pairs: &'a [&'a [u8]],
}

fn parse<'a>(args: &mut Args<'a>) -> Result<ZAddArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    let (mut rule, mut ch) = (Rule::default(), false);
    loop {
        if args.word("NX") {
            rule.nx = true;
        } else if args.word("XX") {
            rule.xx = true;
        } else if args.word("CH") {
            ch = true;
        } else if args.word("INCR") {
            rule.incr = true;
        } else if args.word("GT") {
            rule.gt = true;
        } else if args.word("LT") {
            rule.lt = true;
        } else {
            break;
        }
    }
    let pairs = args.rest();
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(ReplyError::Syntax);
    }
    if rule.nx && rule.xx {
        return Err(ReplyError::Text("ERR XX and NX options at the same time are not compatible"));
    }
    if (rule.gt || rule.lt) && rule.nx || rule.gt && rule.lt {
        return Err(ReplyError::Text(
            "ERR GT, LT, and/or NX options at the same time are not compatible",
        ));
    }
    if rule.incr && pairs.len() > 2 {
        return Err(ReplyError::Text("ERR INCR option supports a single increment-element pair"));
    }
    scores(pairs).try_for_each(|score| score.map(drop))?;
    Ok(ZAddArgs { key, rule, ch, pairs })
}

fn parse_incr<'a>(args: &mut Args<'a>) -> Result<ZAddArgs<'a>, ReplyError> {
    let (key, pairs) = (args.bytes()?, args.rest());
    scores(pairs).try_for_each(|score| score.map(drop))?;
    Ok(ZAddArgs { key, rule: Rule { incr: true, ..Rule::default() }, ch: false, pairs })
}

/// The scores as numbers. Read twice, rather than kept: a list of them would be an allocation.
fn scores<'a>(pairs: &'a [&'a [u8]]) -> impl Iterator<Item = Result<f64, ReplyError>> {
    pairs.iter().step_by(2).map(|text| parse_double(text).ok_or(ReplyError::NotFloat))
}

/// What became of one member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    Added(f64),
    Updated(f64),
    Same(f64),
    /// The rule said no.
    Refused,
}

/// Gives one member its score as far as the rule allows.
pub(crate) fn add(
    set: &mut SortedSet,
    member: &[u8],
    score: f64,
    rule: Rule,
    rules: &Rules,
) -> Result<Outcome, ReplyError> {
    // Without a rule one way down the table is enough.
    if !(rule.nx || rule.gt || rule.lt || rule.incr || rule.xx) {
        return Ok(match set.insert(member, score, rules) {
            None => Outcome::Added(score),
            Some(old) if old == score => Outcome::Same(score),
            Some(_) => Outcome::Updated(score),
        });
    }
    let Some(old) = set.score(member) else {
        if rule.xx {
            return Ok(Outcome::Refused);
        }
        set.insert(member, score, rules);
        return Ok(Outcome::Added(score));
    };
    if rule.nx {
        return Ok(Outcome::Refused);
    }
    let score = if rule.incr { old + score } else { score };
    if score.is_nan() {
        return Err(ReplyError::Text("ERR resulting score is not a number (NaN)"));
    }
    if rule.lt && score >= old || rule.gt && score <= old {
        return Ok(Outcome::Refused);
    }
    if score == old {
        return Ok(Outcome::Same(old));
    }
    set.insert(member, score, rules);
    Ok(Outcome::Updated(score))
}

fn execute(args: ZAddArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let (rule, rules) = (args.rule, ctx.rules());
    let (mut added, mut updated) = (0, 0);
    let mut last = Outcome::Refused;
    {
        // A missing key stays missing when only members that are there may change.
        let set = if rule.xx {
            ctx.edit::<SortedSet>(args.key)?
        } else {
            Some(ctx.edit_or_new::<SortedSet>(args.key)?)
        };
        if let Some(mut set) = set {
            set.expect(args.pairs.len() / 2, args.pairs[1].len(), &rules);
            for (score, member) in scores(args.pairs).zip(args.pairs.iter().skip(1).step_by(2)) {
                last = add(&mut set, member, score?, rule, &rules)?;
                match last {
                    Outcome::Added(_) => added += 1,
                    Outcome::Updated(_) => updated += 1,
                    Outcome::Same(_) | Outcome::Refused => {}
                }
            }
        }
    }
    if added + updated > 0 {
        ctx.changed(added + updated);
        let event = if rule.incr { "zincr" } else { "zadd" };
        ctx.notify(Class::SortedSet, event, args.key);
    }
    match last {
        Outcome::Added(score) | Outcome::Updated(score) | Outcome::Same(score) if rule.incr => {
            reply.double(score);
        }
        Outcome::Refused if rule.incr => reply.null(),
        _ => reply.int((if args.ch { added + updated } else { added }) as i64),
    }
    Ok(())
}
