//! HSET, HMSET and HSETNX: sets fields.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Hash;

/// `HSET key field value [field value ...]`
pub struct HSet;

/// `HMSET key field value [field value ...]`
pub struct HMSet;

/// `HSETNX key field value`
pub struct HSetNx;

/// The arguments of all three.
pub struct SetArgs<'a> {
    key: &'a [u8],
    /// Fields and values in turn.
    pairs: &'a [&'a [u8]],
}

impl<'a> SetArgs<'a> {
    fn read(args: &mut Args<'a>, name: &'static str) -> Result<Self, ReplyError> {
        let (key, pairs) = (args.bytes()?, args.rest());
        if pairs.len().is_multiple_of(2) {
            Ok(Self { key, pairs })
        } else {
            Err(ReplyError::WrongArity(name))
        }
    }

    /// Sets the fields; gives how many are new.
    fn set(&self, ctx: &mut Ctx<'_>) -> Result<i64, ReplyError> {
        let rules = ctx.rules();
        let mut hash = ctx.edit_or_new::<Hash>(self.key)?;
        hash.expect(self.pairs, &rules);
        let mut added = 0;
        for pair in self.pairs.chunks_exact(2) {
            added += i64::from(hash.set(pair[0], pair[1], &rules));
        }
        drop(hash);
        ctx.notify(Class::Hash, "hset", self.key);
        ctx.changed(self.pairs.len() as u64 / 2);
        Ok(added)
    }
}

impl Command for HSet {
    const SPEC: Spec = Spec {
        name: "hset",
        summary: "Sets fields of a hash.",
        complexity: "O(N) in the number of fields set.",
        syntax: "key (data: field value)...",
        arity: Arity(-4),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
        ..super::HASH
    };

    type Args<'a> = SetArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetArgs<'a>, ReplyError> {
        SetArgs::read(args, "hset")
    }

    fn execute(
        args: SetArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let added = args.set(ctx)?;
        reply.int(added);
        Ok(())
    }
}

impl Command for HMSet {
    const SPEC: Spec = Spec {
        name: "hmset",
        deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
        summary: "Sets fields of a hash.",
        ..HSet::SPEC
    };

    type Args<'a> = SetArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetArgs<'a>, ReplyError> {
        SetArgs::read(args, "hmset")
    }

    fn execute(
        args: SetArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        args.set(ctx)?;
        reply.ok();
        Ok(())
    }
}

impl Command for HSetNx {
    const SPEC: Spec = Spec {
        name: "hsetnx",
        summary: "Sets a field of a hash unless it is there.",
        complexity: "O(1)",
        syntax: "key field value",
        arity: Arity(4),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::INSERT))],
        ..HSet::SPEC
    };

    type Args<'a> = SetArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetArgs<'a>, ReplyError> {
        SetArgs::read(args, "hsetnx")
    }

    fn execute(
        args: SetArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let hash = ctx.edit::<Hash>(args.key)?;
        let there = hash.is_some_and(|hash| hash.contains(args.pairs[0]));
        if !there {
            args.set(ctx)?;
        }
        reply.int((!there).into());
        Ok(())
    }
}
