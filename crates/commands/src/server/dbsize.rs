//! DBSIZE: how many keys the selected database has.

use stoa_command::{
    Args, Arity, Category, Flags, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Reply};

/// `DBSIZE`
pub struct DbSize;

impl Command for DbSize {
    const SPEC: Spec = Spec {
        name: "dbsize",
        summary: "Counts the keys of the selected database.",
        since: "1.0.0",
        group: Group::Server,
        arity: Arity(1),
        flags: Flags::READONLY.with(Flags::FAST),
        categories: &[Category::Keyspace],
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Sum,
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..Spec::DEFAULT
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(ctx.db().len() as i64);
        Ok(())
    }
}
