//! PERSIST: takes the deadline of a key away.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

/// `PERSIST key`
pub struct Persist;

impl Command for Persist {
    const SPEC: Spec = Spec {
        name: "persist",
        summary: "Takes the deadline of a key away.",
        since: "2.2.0",
        group: Group::Generic,
        syntax: "key",
        arity: Arity(2),
        flags: Flags::WRITE.with(Flags::FAST),
        categories: &[Category::Keyspace],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        let mut db = ctx.db();
        let had = db.get_for_write(&key).is_some_and(|entry| entry.deadline().is_some());
        if had {
            db.set_deadline(&key, None);
            ctx.notify(Class::Generic, "persist", key.bytes);
            ctx.changed(1);
        }
        reply.int(had.into());
        Ok(())
    }
}
