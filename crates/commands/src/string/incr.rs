//! INCR, DECR, INCRBY and DECRBY: integers that count. The deadline of the key stays.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec, parse_int,
};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::{Str, Ttl};

use crate::wrong_type;

/// `INCR key`
pub struct Incr;

/// `DECR key`
pub struct Decr;

/// `INCRBY key increment`
pub struct IncrBy;

/// `DECRBY key decrement`
pub struct DecrBy;

/// Which key, and by how much.
pub struct Step<'a> {
    key: &'a [u8],
    by: i64,
}

impl Step<'_> {
    fn take(self, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(self.key);
        let mut db = ctx.db();
        let old = match db.get_for_write(&key) {
            None => 0,
            Some(entry) => match entry.string().map_err(wrong_type)? {
                Str::Int(value) => value,
                Str::Bytes(bytes) => parse_int(bytes).ok_or(ReplyError::NotInteger)?,
            },
        };
        let new = old.checked_add(self.by).ok_or(ReplyError::Overflow)?;
        db.set_int(&key, new, Ttl::Keep);
        ctx.notify(Class::String, "incrby", key.bytes);
        ctx.changed(1);
        reply.int(new);
        Ok(())
    }
}

impl Command for Incr {
    const SPEC: Spec = Spec {
        name: "incr",
        summary: "Adds one to an integer; a missing key counts as 0.",
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key",
        arity: Arity(2),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = Step<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Step<'a>, ReplyError> {
        Ok(Step { key: args.bytes()?, by: 1 })
    }

    fn execute(step: Step<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        step.take(ctx, reply)
    }
}

impl Command for Decr {
    const SPEC: Spec = Spec {
        name: "decr",
        summary: "Takes one from an integer; a missing key counts as 0.",
        ..Incr::SPEC
    };

    type Args<'a> = Step<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Step<'a>, ReplyError> {
        Ok(Step { key: args.bytes()?, by: -1 })
    }

    fn execute(step: Step<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        step.take(ctx, reply)
    }
}

impl Command for IncrBy {
    const SPEC: Spec = Spec {
        name: "incrby",
        summary: "Adds a number to an integer; a missing key counts as 0.",
        syntax: "key increment:integer",
        arity: Arity(3),
        ..Incr::SPEC
    };

    type Args<'a> = Step<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Step<'a>, ReplyError> {
        Ok(Step { key: args.bytes()?, by: args.int()? })
    }

    fn execute(step: Step<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        step.take(ctx, reply)
    }
}

impl Command for DecrBy {
    const SPEC: Spec = Spec {
        name: "decrby",
        summary: "Takes a number from an integer; a missing key counts as 0.",
        syntax: "key decrement:integer",
        arity: Arity(3),
        ..Incr::SPEC
    };

    type Args<'a> = Step<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Step<'a>, ReplyError> {
        let (key, by) = (args.bytes()?, args.int()?);
        // The one number without an opposite.
        let by = by.checked_neg().ok_or(ReplyError::Text("ERR decrement would overflow"))?;
        Ok(Step { key, by })
    }

    fn execute(step: Step<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        step.take(ctx, reply)
    }
}
