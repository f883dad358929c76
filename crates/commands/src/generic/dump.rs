//! DUMP: a key's value as bytes that RESTORE takes, here and on Redis from 7.4 on.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply, stored};

/// `DUMP key`
pub struct Dump;

impl Command for Dump {
    const SPEC: Spec = Spec {
        name: "dump",
        summary: "Returns the value of a key in a form that RESTORE takes.",
        since: "2.6.0",
        group: Group::Generic,
        complexity: "O(N) in the bytes of the value.",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::READONLY,
        categories: &[Category::Keyspace],
        keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
        tips: &["nondeterministic_output"],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let (limits, compresses) = (ctx.node.config.limits, ctx.node.config.rdb_compression);
        let key = ctx.key(key);
        match ctx.db().get(&key) {
            Some(entry) => reply.bulk(&stoa_rdb::dump(stored(&entry), &limits, compresses)),
            None => reply.null(),
        }
        Ok(())
    }
}
