//! RANDOMKEY: one key by chance.
//!
//! Each shard draws one of its own and says how many it has; home draws among the shards by these
//! numbers, so that every key of the database is about as likely as any other.

use stoa_command::{
    Args, Arity, Category, Flags, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Part, Reply};

/// `RANDOMKEY`
pub struct RandomKey;

/// What one shard drew.
struct Draw {
    key: Vec<u8>,
    /// Keys it was drawn from.
    weight: u64,
}

impl Command for RandomKey {
    const SPEC: Spec = Spec {
        name: "randomkey",
        summary: "Returns a key of the database by chance.",
        group: Group::Generic,
        arity: Arity(1),
        flags: Flags::READONLY,
        categories: &[Category::Keyspace],
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        ..Spec::DEFAULT
    };

    type Args<'a> = ();

    fn parse(args: &mut Args<'_>) -> Result<(), ReplyError> {
        args.end()
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let part = Self::collect((), ctx);
        Self::merge((), vec![part], ctx, reply)
    }

    fn collect((): (), ctx: &mut Ctx<'_>) -> Part {
        let (index, now) = (ctx.session().db, ctx.now);
        // Nobody used the key yet, so its access clock stays.
        let mut db = ctx.keyspace.db(index, now, false);
        let key = db.random(&mut ctx.node.rng).map(|entry| entry.key().to_vec());
        let draw: Option<Draw> = key.map(|key| Draw { key, weight: db.len() as u64 });
        Box::new(draw)
    }

    fn merge(
        (): (),
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let draws: Vec<Draw> = parts
            .into_iter()
            .filter_map(|part| *part.downcast::<Option<Draw>>().expect("collect made it"))
            .collect();
        let all: u64 = draws.iter().map(|draw| draw.weight).sum();
        let mut at = ctx.node.rng.below(all);
        let drawn = draws.iter().find(|draw| {
            let here = at < draw.weight;
            at = at.saturating_sub(draw.weight);
            here
        });
        match drawn {
            Some(draw) => reply.bulk(&draw.key),
            None => reply.null(),
        }
        Ok(())
    }
}
