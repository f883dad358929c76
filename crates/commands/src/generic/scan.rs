//! SCAN: all keys, a portion a call.
//!
//! The cursor is a place in the order of slots and hashes, which no growing table changes: a key that
//! is there from the first call to the last is given once or more, and the server remembers nothing
//! between calls. COUNT says how many keys are looked at, filtered ones included.

use std::num::NonZeroUsize;

use stoa_command::{
    Args, Arity, Category, Flags, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Part, Reply, WalkStep};
use stoa_keyspace::ScanCursor;

use super::keys::Pattern;

/// Keys looked at by a call that does not say how many.
const COUNT: NonZeroUsize = NonZeroUsize::new(10).unwrap();

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub struct Scan;

/// The arguments of SCAN.
pub struct ScanArgs<'a> {
    cursor: ScanCursor,
    pattern: Pattern<'a>,
    count: NonZeroUsize,
    /// A name that is no type's fits no key.
    ty: Option<&'a [u8]>,
}

impl Command for Scan {
    const SPEC: Spec = Spec {
        name: "scan",
        summary: "Returns the keys of the database, a portion a call.",
        since: "2.8.0",
        group: Group::Generic,
        complexity: "O(N) in COUNT a call, in the number of keys for all calls together.",
        syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
        arity: Arity(-2),
        flags: Flags::READONLY,
        categories: &[Category::Keyspace],
        request: RequestPolicy::Walk,
        response: ResponsePolicy::Merge,
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        ..Spec::DEFAULT
    };

    type Args<'a> = ScanArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<ScanArgs<'a>, ReplyError> {
        let cursor = ScanCursor::parse(args.bytes()?).ok_or(ReplyError::InvalidCursor)?;
        let mut scan = ScanArgs { cursor, pattern: Pattern::ALL, count: COUNT, ty: None };
        while args.left() > 0 {
            if args.word("NOVALUES") {
                return Err(ReplyError::Text("ERR NOVALUES option can only be used in HSCAN"));
            }
            // An option without its value is no option.
            if args.left() < 2 {
                return Err(ReplyError::Syntax);
            }
            if args.word("MATCH") {
                scan.pattern = Pattern::new(args.bytes()?);
            } else if args.word("COUNT") {
                let count = usize::try_from(args.int()?).ok().and_then(NonZeroUsize::new);
                scan.count = count.ok_or(ReplyError::Syntax)?;
            } else if args.word("TYPE") {
                scan.ty = Some(args.bytes()?);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(scan)
    }

    fn execute(
        args: ScanArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let step = step(&args, ctx);
        answer(step.next, &[step.found], reply);
        Ok(())
    }

    fn collect(args: ScanArgs<'_>, ctx: &mut Ctx<'_>) -> Part {
        Box::new(step(&args, ctx))
    }

    fn merge(
        _: ScanArgs<'_>,
        parts: Vec<Part>,
        _: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let mut next = None;
        let mut found = Vec::with_capacity(parts.len());
        for part in parts {
            let step: WalkStep = *part.downcast().expect("collect made it");
            next = step.next;
            found.push(step.found);
        }
        answer(next, &found, reply);
        Ok(())
    }
}

/// This shard's share of the call.
fn step(args: &ScanArgs<'_>, ctx: &mut Ctx<'_>) -> WalkStep {
    let walk = ctx.walk();
    let limit = walk.left.unwrap_or(args.count.get());
    let mut found = Vec::new();
    let mut take = |entry: stoa_keyspace::EntryRef<'_>| {
        let typed = |name: &[u8]| name.eq_ignore_ascii_case(entry.ty().name().as_bytes());
        if args.pattern.fits(entry.key()) && args.ty.is_none_or(typed) {
            found.push(entry.key().to_vec());
        }
    };
    let from = walk.from.unwrap_or(args.cursor);
    let (next, seen) = ctx.db().scan(from, walk.end_slot, limit, &mut take);
    WalkStep { next, left: limit.saturating_sub(seen), found }
}

fn answer(next: Option<ScanCursor>, found: &[Vec<Vec<u8>>], reply: &mut dyn Reply) {
    // No place to go on from prints as 0: only the very beginning does, and nothing goes on there.
    let cursor = next.map_or(0, ScanCursor::to_wire);
    reply.array(2);
    reply.bulk(cursor.to_string().as_bytes());
    reply.array(found.iter().map(Vec::len).sum());
    found.iter().flatten().for_each(|key| reply.bulk(key));
}
