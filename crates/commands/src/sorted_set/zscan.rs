//! ZSCAN: all members, a portion a call.
//!
//! The cursor of a large set is a place in the order of its members' hashes, which no change of the
//! set moves: a member that is there from the first call to the last is given.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_keyspace::ScanCursor;
use stoa_value::SortedSet;

use super::READS;
use crate::define::define;
use crate::generic::keys::Pattern;

define! { "`ZSCAN key cursor [MATCH pattern] [COUNT count]`", ZScan, ScanArgs, parse, execute, Spec {
    name: "zscan",
    summary: "Returns the members and scores, a portion a call.",
    since: "2.8.0",
    complexity: "O(N) in COUNT a call, in the number of members for all calls together.",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    arity: Arity(-3),
    tips: &["nondeterministic_output"],
    ..READS
}}

/// The arguments of ZSCAN.
pub struct ScanArgs<'a> {
    key: &'a [u8],
    cursor: u64,
    /// A wrong option is of no interest without a key.
    options: Result<(Pattern<'a>, usize), ReplyError>,
}

fn parse<'a>(args: &mut Args<'a>) -> Result<ScanArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    let cursor = parse_cursor(args.bytes()?).ok_or(ReplyError::InvalidCursor)?;
    Ok(ScanArgs { key, cursor, options: parse_options(args) })
}

/// A cursor as a number; the wire form of SCAN's own is read by the same rules.
fn parse_cursor(text: &[u8]) -> Option<u64> {
    match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
        Some(cursor) => Some(cursor),
        None => ScanCursor::parse(text).map(ScanCursor::to_wire),
    }
}

fn parse_options<'a>(args: &mut Args<'a>) -> Result<(Pattern<'a>, usize), ReplyError> {
    let (mut pattern, mut count) = (Pattern::ALL, 10);
    while args.left() > 0 {
        if args.word("NOVALUES") {
            return Err(ReplyError::Text("ERR NOVALUES option can only be used in HSCAN"));
        }
        if args.left() < 2 {
            return Err(ReplyError::Syntax);
        }
        if args.word("MATCH") {
            pattern = Pattern::new(args.bytes()?);
        } else if args.word("COUNT") {
            count = usize::try_from(args.int()?).map_err(|_| ReplyError::Syntax)?;
            if count == 0 {
                return Err(ReplyError::Syntax);
            }
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok((pattern, count))
}

fn execute(args: ScanArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let Some(set) = ctx.read::<SortedSet>(args.key)? else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(());
    };
    let (pattern, count) = args.options?;
    let mut found = Vec::new();
    let next = set.scan(args.cursor, count, &mut |member, score| {
        if pattern.fits(member) {
            found.push((member.to_vec(), score));
        }
    });
    let is_small = set.encoding() == "listpack";
    reply.array(2);
    reply.bulk(next.unwrap_or(0).to_string().as_bytes());
    reply.array(found.len() * 2);
    for (member, score) in found {
        reply.bulk(&member);
        reply.bulk(&score_text(score, is_small));
    }
    Ok(())
}

/// A score as ZSCAN shows it: of a small set as it is stored, of a large one with seventeen digits.
fn score_text(score: f64, is_small: bool) -> Vec<u8> {
    if is_small {
        let mut text = Vec::new();
        stoa_stdx::write_double(&mut text, score);
        return text;
    }
    stoa_stdx::general(score).into_bytes()
}
