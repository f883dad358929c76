//! SETEX, PSETEX and SETNX: the older spellings of SET with an option.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::Ttl;
use stoa_stdx::UnixMs;

use crate::ttl::{Unit, Written};

/// `SETEX key seconds value`
pub struct SetEx;

/// `PSETEX key milliseconds value`
pub struct PSetEx;

/// `SETNX key value`
pub struct SetNx;

/// The arguments of SETEX and PSETEX.
pub struct SetExArgs<'a> {
    key: &'a [u8],
    written: Written,
    value: &'a [u8],
}

impl<'a> SetExArgs<'a> {
    fn read(args: &mut Args<'a>, unit: Unit, name: &'static str) -> Result<Self, ReplyError> {
        let key = args.bytes()?;
        let written = Written::positive(args.bytes()?, unit, name)?;
        Ok(Self { key, written, value: args.bytes()? })
    }

    fn store(
        self,
        name: &'static str,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let at = self.written.at(ctx.now, name)?;
        let key = ctx.key(self.key);
        ctx.db().set_string(&key, self.value, Ttl::At(UnixMs(at.max(0) as u64)));
        ctx.notify(Class::String, "set", key.bytes);
        ctx.notify(Class::Generic, "expire", key.bytes);
        ctx.changed(1);
        reply.ok();
        Ok(())
    }
}

impl Command for SetEx {
    const SPEC: Spec = Spec {
        name: "setex",
        deprecated: Some(("2.6.12", "`SET` with the `EX` argument")),
        summary: "Sets a string that is gone after some seconds.",
        since: "2.0.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key seconds value",
        arity: Arity(4),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::OW.with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = SetExArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetExArgs<'a>, ReplyError> {
        SetExArgs::read(args, Unit::EX, "setex")
    }

    fn execute(
        args: SetExArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        args.store("setex", ctx, reply)
    }
}

impl Command for PSetEx {
    const SPEC: Spec = Spec {
        name: "psetex",
        deprecated: Some(("2.6.12", "`SET` with the `PX` argument")),
        summary: "Sets a string that is gone after some milliseconds.",
        since: "2.6.0",
        syntax: "key milliseconds value",
        ..SetEx::SPEC
    };

    type Args<'a> = SetExArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetExArgs<'a>, ReplyError> {
        SetExArgs::read(args, Unit::PX, "psetex")
    }

    fn execute(
        args: SetExArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        args.store("psetex", ctx, reply)
    }
}

impl Command for SetNx {
    const SPEC: Spec = Spec {
        name: "setnx",
        deprecated: Some(("2.6.12", "`SET` with the `NX` argument")),
        summary: "Sets a string unless its key exists.",
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key value",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::OW.with(KeyFlags::INSERT))],
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
        let key = ctx.key(key);
        let goes = ctx.db().get_for_write(&key).is_none();
        if goes {
            ctx.db().set_string(&key, value, Ttl::Clear);
            ctx.notify(Class::String, "set", key.bytes);
            ctx.changed(1);
        }
        reply.int(goes.into());
        Ok(())
    }
}
