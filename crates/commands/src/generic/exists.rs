//! EXISTS and TOUCH: how many of the keys named are there; a key named twice counts twice.
//!
//! EXISTS leaves access clocks alone. TOUCH is for moving them, and does so for clients that
//! otherwise leave no trace (CLIENT NO-TOUCH), too.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, RequestPolicy,
    ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Reply};

/// `EXISTS key [key ...]`
pub struct Exists;

/// `TOUCH key [key ...]`
pub struct Touch;

const EXISTS: Spec = Spec {
    name: "exists",
    summary: "Counts those of the given keys that are there.",
    group: Group::Generic,
    complexity: "O(N) in the number of keys.",
    syntax: "key...",
    arity: Arity(-2),
    flags: Flags::READONLY.with(Flags::FAST),
    categories: &[Category::Keyspace],
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
    request: RequestPolicy::Split,
    response: ResponsePolicy::Sum,
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    ..Spec::DEFAULT
};

impl Command for Exists {
    const SPEC: Spec = EXISTS;

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(count(keys, ctx, false));
        Ok(())
    }
}

impl Command for Touch {
    const SPEC: Spec = Spec {
        name: "touch",
        summary: "Counts the keys that are there, and has them used now.",
        since: "3.2.1",
        ..EXISTS
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(count(keys, ctx, true));
        Ok(())
    }
}

fn count(keys: &[&[u8]], ctx: &mut Ctx<'_>, touch: bool) -> i64 {
    let index = ctx.session().db;
    let mut found = 0;
    for key in keys {
        let key = ctx.key(key);
        found += i64::from(ctx.keyspace.db(index, ctx.now, touch).noticing().get(&key).is_some());
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    #[test]
    fn touch_moves_the_access_clock_for_those_who_leave_no_trace_too() {
        let mut bench = Bench::new();
        bench.session().no_touch = true;
        bench.run("SET a 1");
        bench.advance(7_000);
        for request in ["EXISTS a", "GET a", "TTL a", "TYPE a"] {
            bench.run(request);
            assert_eq!(bench.run("OBJECT IDLETIME a"), "(integer) 7", "{request}");
        }
        bench.run("TOUCH a");
        assert_eq!(bench.run("OBJECT IDLETIME a"), "(integer) 0");
    }

    #[test]
    fn what_reads_about_a_key_counts_hits_and_misses_and_what_writes_counts_none() {
        let mut bench = Bench::new();
        bench.run("SET a 1");
        let requests = [
            ("EXISTS a a nokey", 2, 1),
            ("TOUCH a nokey", 1, 1),
            ("TTL a", 1, 0),
            ("PTTL nokey", 0, 1),
            ("TYPE nokey", 0, 1),
            ("OBJECT ENCODING a", 1, 0),
            ("COPY a b", 1, 0),
            ("COPY nokey b", 0, 1),
            ("EXPIRE a 10", 0, 0),
            ("EXPIRE nokey 10", 0, 0),
            ("PERSIST a", 0, 0),
            ("RENAME nokey b", 0, 0),
            ("MOVE nokey 1", 0, 0),
            ("KEYS *", 0, 0),
            ("SCAN 0 TYPE string", 0, 0),
            ("RANDOMKEY", 0, 0),
            ("DEL a b nokey", 0, 0),
        ];
        for (request, hits, misses) in requests {
            let before = bench.keyspace.stats;
            bench.run(request);
            let after = bench.keyspace.stats;
            let counted = (after.hits - before.hits, after.misses - before.misses);
            assert_eq!(counted, (hits, misses), "{request}");
        }
    }
}
