//! TYPE: what kind of value a key holds.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

/// `TYPE key`
pub struct Type;

impl Command for Type {
    const SPEC: Spec = Spec {
        name: "type",
        summary: "Returns the type of a key's value, `none` without a key.",
        group: Group::Generic,
        syntax: "key",
        arity: Arity(2),
        flags: Flags::READONLY.with(Flags::FAST),
        categories: &[Category::Keyspace],
        keys: &[KeySpec::first(KeyFlags::RO)],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        reply.simple(ctx.db().get_untouched(&key).map_or("none", |entry| entry.ty().name()));
        Ok(())
    }
}
