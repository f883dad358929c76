//! HDEL: takes fields out of a hash.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Hash;

/// `HDEL key field [field ...]`
pub struct HDel;

impl Command for HDel {
    const SPEC: Spec = Spec {
        name: "hdel",
        summary: "Takes fields out of a hash.",
        complexity: "O(N) in the number of fields taken out.",
        syntax: "key field...",
        arity: Arity(-3),
        flags: Flags::WRITE.with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
        ..super::HASH
    };

    type Args<'a> = (&'a [u8], &'a [&'a [u8]]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.rest()))
    }

    fn execute(
        (key, fields): (&[u8], &[&[u8]]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let Some(mut hash) = ctx.edit::<Hash>(key)? else {
            reply.int(0);
            return Ok(());
        };
        let removed = fields.iter().filter(|field| hash.remove(field)).count();
        let is_empty = hash.is_empty();
        drop(hash);
        if removed > 0 {
            ctx.notify(Class::Hash, "hdel", key);
            if is_empty {
                ctx.notify(Class::Generic, "del", key);
            }
            ctx.changed(removed as u64);
        }
        reply.int(removed as i64);
        Ok(())
    }
}
