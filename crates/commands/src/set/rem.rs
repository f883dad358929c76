//! SREM: takes members out.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Set;

/// `SREM key member [member ...]`
pub struct SRem;

impl Command for SRem {
    const SPEC: Spec = Spec {
        name: "srem",
        summary: "Takes members out of a set.",
        complexity: "O(N) in the number of members taken out.",
        syntax: "key member...",
        arity: Arity(-3),
        flags: Flags::WRITE.with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
        ..super::SET
    };

    type Args<'a> = (&'a [u8], &'a [&'a [u8]]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.rest()))
    }

    fn execute(
        (key, members): (&[u8], &[&[u8]]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let Some(mut set) = ctx.edit::<Set>(key)? else {
            reply.int(0);
            return Ok(());
        };
        let removed = members.iter().filter(|member| set.remove(member)).count();
        let is_empty = set.is_empty();
        drop(set);
        if removed > 0 {
            ctx.notify(Class::Set, "srem", key);
            if is_empty {
                ctx.notify(Class::Generic, "del", key);
            }
            ctx.changed(removed as u64);
        }
        reply.int(removed as i64);
        Ok(())
    }
}
