//! SISMEMBER and SMISMEMBER: whether members are there.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Set;

/// `SISMEMBER key member`
pub struct SIsMember;

/// `SMISMEMBER key member [member ...]`
pub struct SMIsMember;

impl Command for SIsMember {
    const SPEC: Spec = Spec {
        name: "sismember",
        summary: "Tells whether a member is in a set.",
        complexity: "O(1)",
        syntax: "key member",
        arity: Arity(3),
        flags: Flags::READONLY.with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RO)],
        ..super::SET
    };

    type Args<'a> = (&'a [u8], &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.bytes()?))
    }

    fn execute(
        (key, member): (&[u8], &[u8]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        reply.int(ctx.read::<Set>(key)?.is_some_and(|set| set.contains(member)).into());
        Ok(())
    }
}

impl Command for SMIsMember {
    const SPEC: Spec = Spec {
        name: "smismember",
        summary: "Tells of each of several members whether it is in a set.",
        since: "6.2.0",
        complexity: "O(N) in the number of members asked for.",
        syntax: "key member...",
        arity: Arity(-3),
        flags: Flags::READONLY.with(Flags::FAST),
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
        let set = ctx.read::<Set>(key)?;
        reply.array(members.len());
        for member in members {
            reply.int(set.is_some_and(|set| set.contains(member)).into());
        }
        Ok(())
    }
}
