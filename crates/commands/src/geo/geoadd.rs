//! GEOADD: members get places.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::SortedSet;

use super::cell::score_of;
use super::{READS, Wrong, reading};
use crate::define::define;
use crate::sorted_set::zadd::{Outcome, Rule, add};

define! { "`GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]`",
GeoAdd, AddArgs, parse, execute, Spec {
    name: "geoadd",
    summary: "Gives members their places; adds those that are missing.",
    complexity: "O(log(N)) for each member, N members in the set.",
    syntax: "key [condition: NX | XX] [change: CH] \
             (data: longitude:double latitude:double member)...",
    arity: Arity(-5),
    flags: Flags::WRITE.with(Flags::DENYOOM),
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
    ..READS
}}

/// The arguments of GEOADD.
pub struct AddArgs<'a> {
    key: &'a [u8],
    rule: Rule,
    ch: bool,
    places: Result<Vec<(f64, &'a [u8])>, Wrong>,
}

fn parse<'a>(args: &mut Args<'a>) -> Result<AddArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    let (mut rule, mut ch) = (Rule::default(), false);
    loop {
        if args.word("NX") {
            rule.nx = true;
        } else if args.word("XX") {
            rule.xx = true;
        } else if args.word("CH") {
            ch = true;
        } else {
            break;
        }
    }
    if !args.left().is_multiple_of(3) || args.left() == 0 || rule.nx && rule.xx {
        return Err(ReplyError::Syntax);
    }
    let places = (0..args.left() / 3)
        .map(|_| Ok((score_of(reading::point(args)?), args.bytes()?)))
        .collect();
    Ok(AddArgs { key, rule, ch, places })
}

fn execute(args: AddArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let places = match args.places {
        Ok(places) => places,
        Err(wrong) => return wrong.answer(reply),
    };
    let rules = ctx.rules();
    let (mut added, mut updated) = (0, 0);
    {
        // A missing key stays missing when only members that are there may change.
        let set = if args.rule.xx {
            ctx.edit::<SortedSet>(args.key)?
        } else {
            Some(ctx.edit_or_new::<SortedSet>(args.key)?)
        };
        if let Some(mut set) = set {
            for (score, member) in places {
                match add(&mut set, member, score, args.rule, &rules)? {
                    Outcome::Added(_) => added += 1,
                    Outcome::Updated(_) => updated += 1,
                    Outcome::Same(_) | Outcome::Refused => {}
                }
            }
        }
    }
    if added + updated > 0 {
        ctx.notify(Class::SortedSet, "zadd", args.key);
        ctx.changed(added + updated);
    }
    reply.int((if args.ch { added + updated } else { added }) as i64);
    Ok(())
}
