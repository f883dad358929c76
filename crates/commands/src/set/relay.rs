//! SMOVE: a member from one set to another.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Set;

/// `SMOVE source destination member`
pub struct SMove;

/// The arguments of SMOVE.
pub struct MoveArgs<'a> {
    from: &'a [u8],
    to: &'a [u8],
    member: &'a [u8],
}

impl Command for SMove {
    const SPEC: Spec = Spec {
        name: "smove",
        summary: "Moves a member from one set to another.",
        complexity: "O(1)",
        syntax: "source destination member",
        arity: Arity(4),
        flags: Flags::WRITE.with(Flags::FAST),
        keys: &[
            KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE)),
            KeySpec::range(2, 0, 1, KeyFlags::RW.with(KeyFlags::INSERT)),
        ],
        ..super::SET
    };

    type Args<'a> = MoveArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<MoveArgs<'a>, ReplyError> {
        Ok(MoveArgs { from: args.bytes()?, to: args.bytes()?, member: args.bytes()? })
    }

    fn execute(
        args: MoveArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let rules = ctx.rules();
        let there = ctx.edit::<Set>(args.from)?.map(|set| set.contains(args.member));
        if there.is_some() {
            ctx.edit::<Set>(args.to)?;
        }
        let moves = there == Some(true);
        reply.int(moves.into());
        if !moves || args.from == args.to {
            return Ok(());
        }
        let mut is_empty = false;
        if let Some(mut set) = ctx.edit::<Set>(args.from)? {
            set.remove(args.member);
            is_empty = set.is_empty();
        }
        ctx.notify(Class::Set, "srem", args.from);
        if is_empty {
            ctx.notify(Class::Generic, "del", args.from);
        }
        let mut set = ctx.edit_or_new::<Set>(args.to)?;
        set.expect(args.member, 1, &rules);
        let added = set.add(args.member, &rules);
        drop(set);
        if added {
            ctx.notify(Class::Set, "sadd", args.to);
        }
        ctx.changed(1 + u64::from(added));
        Ok(())
    }
}
