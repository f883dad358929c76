//! SADD: adds members.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Set;

/// `SADD key member [member ...]`
pub struct SAdd;

impl Command for SAdd {
    const SPEC: Spec = Spec {
        name: "sadd",
        summary: "Adds members to a set.",
        complexity: "O(N) in the number of members added.",
        syntax: "key member...",
        arity: Arity(-3),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::INSERT))],
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
        let rules = ctx.rules();
        let mut set = ctx.edit_or_new::<Set>(key)?;
        set.expect(members[0], members.len(), &rules);
        let added = members.iter().filter(|member| set.add(member, &rules)).count();
        drop(set);
        if added > 0 {
            ctx.notify(Class::Set, "sadd", key);
            ctx.changed(added as u64);
        }
        reply.int(added as i64);
        Ok(())
    }
}
