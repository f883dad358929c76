//! MGET: the values of several strings at one moment.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, RequestPolicy,
    ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Reply};

/// `MGET key [key ...]`
pub struct MGet;

impl Command for MGet {
    const SPEC: Spec = Spec {
        name: "mget",
        summary: "Answers the strings of several keys.",
        since: "1.0.0",
        group: Group::String,
        complexity: "O(N), N keys.",
        syntax: "key...",
        arity: Arity(-2),
        flags: Flags::READONLY.with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.with(KeyFlags::ACCESS))],
        request: RequestPolicy::Split,
        response: ResponsePolicy::ByKey,
        tips: &["request_policy:multi_shard"],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [&'a [u8]], ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.array(keys.len());
        for key in keys {
            let key = ctx.key(key);
            // A key of another type answers as a missing one.
            match ctx.db().get(&key).and_then(|entry| entry.string().ok()) {
                Some(text) => text.with(|bytes| reply.bulk(bytes)),
                None => reply.null(),
            }
        }
        Ok(())
    }
}
