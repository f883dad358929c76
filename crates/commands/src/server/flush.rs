//! FLUSHDB and FLUSHALL: away with all keys.
//!
//! The keys are gone at once and their memory is given back in portions afterwards, whichever of SYNC
//! and ASYNC was said: no client waits for memory to be freed.

use stoa_command::{
    Args, Arity, Category, Flags, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Reply};
use stoa_stdx::DbIndex;

const FLUSH: Spec = Spec {
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(1); freeing N keys afterwards is O(N)",
    syntax: "[flush-type: ASYNC | SYNC]",
    arity: Arity(-1),
    flags: Flags::WRITE,
    categories: &[Category::Keyspace, Category::Dangerous],
    request: RequestPolicy::AllShards,
    response: ResponsePolicy::AllSucceeded,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Spec::DEFAULT
};

fn parse(args: &mut Args<'_>) -> Result<(), ReplyError> {
    if args.left() > 0 {
        args.choice(&[("SYNC", ()), ("ASYNC", ())])?;
    }
    args.end()
}

fn flush(ctx: &mut Ctx<'_>, index: DbIndex) {
    let mut db = ctx.db_at(index);
    let count = db.len() as u64;
    db.clear();
    ctx.changed(count);
    ctx.notify_of_all(index, "flushdb");
}

/// `FLUSHDB [ASYNC | SYNC]`
pub struct FlushDb;

impl Command for FlushDb {
    const SPEC: Spec =
        Spec { name: "flushdb", summary: "Removes all keys of the selected database.", ..FLUSH };

    type Args<'a> = ();

    fn parse(args: &mut Args<'_>) -> Result<(), ReplyError> {
        parse(args)
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let index = ctx.session().db;
        flush(ctx, index);
        reply.ok();
        Ok(())
    }
}

/// `FLUSHALL [ASYNC | SYNC]`
pub struct FlushAll;

impl Command for FlushAll {
    const SPEC: Spec =
        Spec { name: "flushall", summary: "Removes all keys of all databases.", ..FLUSH };

    type Args<'a> = ();

    fn parse(args: &mut Args<'_>) -> Result<(), ReplyError> {
        parse(args)
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        for index in 0..ctx.keyspace.database_count() {
            flush(ctx, DbIndex(index));
        }
        reply.ok();
        Ok(())
    }
}
