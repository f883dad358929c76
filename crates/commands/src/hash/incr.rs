//! HINCRBY and HINCRBYFLOAT: adds to the number in a field. Its deadline stays.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec, parse_int};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_stdx::Extended;
use stoa_value::{Hash, Str};

/// `HINCRBY key field increment`
pub struct HIncrBy;

/// `HINCRBYFLOAT key field increment`
pub struct HIncrByFloat;

/// The arguments of both.
pub struct StepArgs<'a, T> {
    key: &'a [u8],
    field: &'a [u8],
    by: T,
}

impl Command for HIncrBy {
    const SPEC: Spec = Spec {
        name: "hincrby",
        summary: "Adds to the integer in a field of a hash; a missing field counts as 0.",
        complexity: "O(1)",
        syntax: "key field increment:integer",
        arity: Arity(4),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..super::HASH
    };

    type Args<'a> = StepArgs<'a, i64>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(StepArgs { key: args.bytes()?, field: args.bytes()?, by: args.int()? })
    }

    fn execute(
        args: StepArgs<'_, i64>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        const NO_INTEGER: ReplyError = ReplyError::Text("ERR hash value is not an integer");
        let rules = ctx.rules();
        let mut hash = ctx.edit_or_new::<Hash>(args.key)?;
        let old = match hash.get(args.field) {
            None => 0,
            Some(Str::Int(value)) => value,
            Some(Str::Bytes(bytes)) => parse_int(bytes).ok_or(NO_INTEGER)?,
        };
        let new = old.checked_add(args.by).ok_or(ReplyError::Overflow)?;
        let mut digits = itoa::Buffer::new();
        hash.set_keeping_deadline(args.field, digits.format(new).as_bytes(), &rules);
        drop(hash);
        ctx.notify(Class::Hash, "hincrby", args.key);
        ctx.changed(1);
        reply.int(new);
        Ok(())
    }
}

impl Command for HIncrByFloat {
    const SPEC: Spec = Spec {
        name: "hincrbyfloat",
        summary: "Adds to the decimal number in a field of a hash; a missing field counts as 0.",
        since: "2.6.0",
        syntax: "key field increment:double",
        ..HIncrBy::SPEC
    };

    type Args<'a> = StepArgs<'a, Extended>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        const INFINITE: ReplyError = ReplyError::Text("ERR value is NaN or Infinity");
        let (key, field) = (args.bytes()?, args.bytes()?);
        let by = Extended::parse(args.bytes()?).ok_or(ReplyError::NotFloat)?;
        // Nothing added to an infinity is finite.
        by.checked_add(Extended::from(0)).ok_or(INFINITE)?;
        Ok(StepArgs { key, field, by })
    }

    fn execute(
        args: StepArgs<'_, Extended>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        const NO_FLOAT: ReplyError = ReplyError::Text("ERR hash value is not a float");
        const NOT_FINITE: ReplyError =
            ReplyError::Text("ERR increment would produce NaN or Infinity");
        let rules = ctx.rules();
        let mut hash = ctx.edit_or_new::<Hash>(args.key)?;
        let old = match hash.get(args.field) {
            None => Extended::from(0),
            Some(Str::Int(value)) => Extended::from(value),
            Some(Str::Bytes(bytes)) => Extended::parse(bytes).ok_or(NO_FLOAT)?,
        };
        let new = old.checked_add(args.by).ok_or(NOT_FINITE)?.to_string();
        hash.set_keeping_deadline(args.field, new.as_bytes(), &rules);
        drop(hash);
        ctx.notify(Class::Hash, "hincrbyfloat", args.key);
        ctx.changed(1);
        reply.bulk(new.as_bytes());
        Ok(())
    }
}
