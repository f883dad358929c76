//! SMEMBERS and SCARD: all of a set, and how much that is.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Set;

/// `SMEMBERS key`
pub struct SMembers;

/// `SCARD key`
pub struct SCard;

impl Command for SMembers {
    const SPEC: Spec = Spec {
        name: "smembers",
        summary: "Returns all members of a set.",
        complexity: "O(N) in the number of members.",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::READONLY,
        tips: &["nondeterministic_output_order"],
        ..super::SET
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let set = ctx.read::<Set>(key)?;
        reply.set(set.map_or(0, Set::len));
        for member in set.into_iter().flat_map(Set::iter) {
            member.with(|member| reply.bulk(member));
        }
        Ok(())
    }
}

impl Command for SCard {
    const SPEC: Spec = Spec {
        name: "scard",
        summary: "Returns how many members a set has.",
        complexity: "O(1)",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::READONLY.with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RO)],
        ..super::SET
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(ctx.read::<Set>(key)?.map_or(0, Set::len) as i64);
        Ok(())
    }
}
