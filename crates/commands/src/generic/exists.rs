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
    summary: "Determines whether one or more keys exist.",
    group: Group::Generic,
    complexity: "O(N) where N is the number of keys to check.",
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
        summary: "Returns the number of existing keys out of those specified after updating the time they were last accessed.",
        since: "3.2.1",
        complexity: "O(N) where N is the number of keys that will be touched.",
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
        found += i64::from(ctx.keyspace.db(index, ctx.now, touch).get(&key).is_some());
    }
    found
}
