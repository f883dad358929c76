//! GETSET: the older spelling of SET with GET.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

use crate::reply_string;
use crate::ttl::unsaid_ttl;

/// `GETSET key value`
pub struct GetSet;

impl Command for GetSet {
    const SPEC: Spec = Spec {
        name: "getset",
        deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
        summary: "Sets a string and answers what was there before.",
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key value",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = (&'a [u8], &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<(&'a [u8], &'a [u8]), ReplyError> {
        Ok((args.bytes()?, args.bytes()?))
    }

    fn execute(
        (key, value): (&[u8], &[u8]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (key, ttl) = (ctx.key(key), unsaid_ttl(ctx));
        let mut db = ctx.db();
        reply_string(db.get(&key).as_ref(), reply)?;
        db.set_string(&key, value, ttl);
        ctx.notify(Class::String, "set", key.bytes);
        ctx.changed(1);
        Ok(())
    }
}
