//! MSET and MSETNX: several strings in one step.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, RequestPolicy,
    ResponsePolicy, Spec,
};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::Ttl;

use crate::ttl::unsaid_ttl;

/// `MSET key value [key value ...]`
pub struct MSet;

/// `MSETNX key value [key value ...]`
pub struct MSetNx;

/// Keys and values in turn, an even number of them.
pub struct Pairs<'a>(&'a [&'a [u8]]);

impl<'a> Pairs<'a> {
    fn read(args: &mut Args<'a>, name: &'static str) -> Result<Self, ReplyError> {
        let words = args.rest();
        if words.len().is_multiple_of(2) {
            Ok(Self(words))
        } else {
            Err(ReplyError::WrongArity(name))
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.0.chunks_exact(2).map(|pair| (pair[0], pair[1]))
    }

    fn store(&self, ttl: Ttl, ctx: &mut Ctx<'_>) {
        for (key, value) in self.iter() {
            let key = ctx.key(key);
            ctx.db().set_string(&key, value, ttl);
            ctx.notify(Class::String, "set", key.bytes);
        }
        ctx.changed(self.0.len() as u64 / 2);
    }
}

impl Command for MSet {
    const SPEC: Spec = Spec {
        name: "mset",
        summary: "Sets the strings of several keys.",
        since: "1.0.1",
        group: Group::String,
        complexity: "O(N), N keys.",
        syntax: "(data: key value)...",
        arity: Arity(-3),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::String],
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.with(KeyFlags::UPDATE))],
        request: RequestPolicy::Split,
        response: ResponsePolicy::AllSucceeded,
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..Spec::DEFAULT
    };

    type Args<'a> = Pairs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Pairs<'a>, ReplyError> {
        Pairs::read(args, "mset")
    }

    fn execute(
        pairs: Pairs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        pairs.store(unsaid_ttl(ctx), ctx);
        reply.ok();
        Ok(())
    }
}

impl Command for MSetNx {
    // Not split: whether any of the keys exists is one question about all of them.
    const SPEC: Spec = Spec {
        name: "msetnx",
        summary: "Sets the strings of several keys unless one of them exists.",
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.with(KeyFlags::INSERT))],
        request: RequestPolicy::Keys,
        response: ResponsePolicy::Whole,
        tips: &[],
        ..MSet::SPEC
    };

    type Args<'a> = Pairs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Pairs<'a>, ReplyError> {
        Pairs::read(args, "msetnx")
    }

    fn execute(
        pairs: Pairs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let exists = pairs.iter().any(|(key, _)| {
            let key = ctx.key(key);
            ctx.db().get_for_write(&key).is_some()
        });
        if !exists {
            pairs.store(Ttl::Clear, ctx);
        }
        reply.int((!exists).into());
        Ok(())
    }
}
