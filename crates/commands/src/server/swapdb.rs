//! SWAPDB: exchanges two databases, so that clients of one see the other's keys at once.

use stoa_command::{
    Args, Arity, Category, Flags, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec, parse_int,
};
use stoa_engine::{Command, Ctx, Reply};
use stoa_stdx::DbIndex;

const BAD_FIRST: ReplyError = ReplyError::Text("ERR invalid first DB index");
const BAD_SECOND: ReplyError = ReplyError::Text("ERR invalid second DB index");

/// `SWAPDB index1 index2`
pub struct SwapDb;

impl Command for SwapDb {
    const SPEC: Spec = Spec {
        name: "swapdb",
        summary: "Exchanges two databases.",
        since: "4.0.0",
        group: Group::Server,
        complexity: "O(N) for N shards",
        syntax: "index1:integer index2:integer",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::FAST),
        categories: &[Category::Keyspace, Category::Dangerous],
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        ..Spec::DEFAULT
    };

    type Args<'a> = (i32, i32);

    fn parse(args: &mut Args<'_>) -> Result<(i32, i32), ReplyError> {
        let mut index = |error| {
            parse_int(args.bytes()?).and_then(|index| i32::try_from(index).ok()).ok_or(error)
        };
        Ok((index(BAD_FIRST)?, index(BAD_SECOND)?))
    }

    fn execute(
        (first, second): (i32, i32),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let count = ctx.keyspace.database_count();
        let index = |index: i32| {
            let index = u16::try_from(index).ok().filter(|index| *index < count);
            index.map(DbIndex).ok_or(ReplyError::DbOutOfRange)
        };
        let (first, second) = (index(first)?, index(second)?);
        ctx.keyspace.swap(first, second, ctx.now);
        ctx.notify_of_all(first, "swapdb");
        if first != second {
            ctx.notify_of_all(second, "swapdb");
        }
        // One change, however many shards make it.
        if ctx.speaks_for_all() {
            ctx.changed(1);
        }
        reply.ok();
        Ok(())
    }
}
