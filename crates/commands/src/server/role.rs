//! ROLE: what this server is to others. Alone, it is a primary without replicas.

use stoa_command::{Args, Arity, Category, Flags, Group, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

/// `ROLE`
pub struct Role;

impl Command for Role {
    const SPEC: Spec = Spec {
        name: "role",
        summary: "Answers the role in replication.",
        since: "2.8.12",
        group: Group::Server,
        arity: Arity(1),
        flags: Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::FAST),
        categories: &[Category::Admin, Category::Dangerous],
        ..Spec::DEFAULT
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), _: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.array(3);
        reply.bulk(b"master");
        reply.int(0);
        reply.array(0);
        Ok(())
    }
}
