//! DEL and UNLINK: removes keys.
//!
//! One body serves both. What takes long to free lies in buffers of its own, and giving such a buffer
//! back costs the same however large it is.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, RequestPolicy,
    ResponsePolicy, Spec,
};
use stoa_engine::{Class, Command, Ctx, Reply};

/// `DEL key [key ...]`
pub struct Del;

/// `UNLINK key [key ...]`
pub struct Unlink;

const DEL: Spec = Spec {
    name: "del",
    summary: "Removes keys with their values.",
    group: Group::Generic,
    complexity: "O(N) in the number of keys and of allocations of their values.",
    syntax: "key...",
    arity: Arity(-2),
    flags: Flags::WRITE,
    categories: &[Category::Keyspace],
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.with(KeyFlags::DELETE))],
    request: RequestPolicy::Split,
    response: ResponsePolicy::Sum,
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    ..Spec::DEFAULT
};

impl Command for Del {
    const SPEC: Spec = DEL;

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let mut removed = 0;
        for key in keys {
            let key = ctx.key(key);
            if ctx.db().remove(&key) {
                ctx.notify(Class::Generic, "del", key.bytes);
                removed += 1;
            }
        }
        ctx.changed(removed);
        reply.int(removed as i64);
        Ok(())
    }
}

impl Command for Unlink {
    const SPEC: Spec = Spec {
        name: "unlink",
        summary: "Removes keys; their values are freed aside.",
        since: "4.0.0",
        complexity: "O(N) in the number of keys.",
        flags: Flags::WRITE.with(Flags::FAST),
        ..DEL
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        Del::execute(keys, ctx, reply)
    }
}
