//! SMOVE: a member from one set to another.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_stdx::Key;
use stoa_value::Set;

use crate::wrong_type;

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
        // Without a trace: it is no change of the destination if the member is there already, and what is
        // changed counts as used when it is.
        let (from, to) = (ctx.key(args.from), ctx.key(args.to));
        let Some(there) = has(&from, args.member, ctx)? else {
            reply.int(0);
            return Ok(());
        };
        let known = has(&to, args.member, ctx)? == Some(true);
        reply.int(there.into());
        if !there || args.from == args.to {
            ctx.db().get_for_write(&from);
            ctx.db().get_for_write(&to);
            return Ok(());
        }
        if known {
            ctx.db().get_for_write(&to);
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
        if !known {
            let mut set = ctx.edit_or_new::<Set>(args.to)?;
            set.expect(args.member, 1, &rules);
            set.add(args.member, &rules);
            drop(set);
            ctx.notify(Class::Set, "sadd", args.to);
        }
        ctx.changed(1 + u64::from(!known));
        Ok(())
    }
}

/// Whether a set has a member; None without the set.
fn has(key: &Key<'_>, member: &[u8], ctx: &mut Ctx<'_>) -> Result<Option<bool>, ReplyError> {
    let mut db = ctx.db();
    let set = db.peek(key).map(|entry| entry.read::<Set>()).transpose();
    Ok(set.map_err(wrong_type)?.map(|set| set.contains(member)))
}
