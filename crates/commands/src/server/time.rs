//! TIME: the wall clock of the moment the command happens at.

use stoa_command::{Args, Arity, Flags, Group, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

/// `TIME`
pub struct Time;

impl Command for Time {
    const SPEC: Spec = Spec {
        name: "time",
        summary: "Answers the time in seconds and microseconds.",
        since: "2.6.0",
        group: Group::Server,
        arity: Arity(1),
        flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
        tips: &["nondeterministic_output"],
        ..Spec::DEFAULT
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        // A shard's clock counts milliseconds: the microseconds end in three zeros.
        let (seconds, micros) = (ctx.now.0 / 1_000, ctx.now.0 % 1_000 * 1_000);
        reply.array(2);
        reply.bulk(seconds.to_string().as_bytes());
        reply.bulk(micros.to_string().as_bytes());
        Ok(())
    }
}
