//! GETDEL: the value of a string, which is then gone.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

use crate::reply_string;

/// `GETDEL key`
pub struct GetDel;

impl Command for GetDel {
    const SPEC: Spec = Spec {
        name: "getdel",
        summary: "Answers a string and deletes its key.",
        since: "6.2.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::WRITE.with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        let mut db = ctx.db();
        reply_string(db.get(&key).as_ref(), reply)?;
        if db.remove(&key) {
            ctx.notify(Class::Generic, "del", key.bytes);
            ctx.changed(1);
        }
        Ok(())
    }
}
