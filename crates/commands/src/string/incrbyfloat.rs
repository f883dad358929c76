//! INCRBYFLOAT: adds in extended precision and stores what it prints (see [`Extended`]).

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::{Str, Ttl};
use stoa_stdx::Extended;

use crate::wrong_type;

/// `INCRBYFLOAT key increment`
pub struct IncrByFloat;

/// The arguments of INCRBYFLOAT.
pub struct FloatStep<'a> {
    key: &'a [u8],
    /// Judged after the key's type.
    by: Option<Extended>,
}

impl Command for IncrByFloat {
    const SPEC: Spec = Spec {
        name: "incrbyfloat",
        summary: "Adds a decimal number to a string that holds one; a missing key counts as 0.",
        since: "2.6.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key increment:double",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = FloatStep<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<FloatStep<'a>, ReplyError> {
        Ok(FloatStep { key: args.bytes()?, by: Extended::parse(args.bytes()?) })
    }

    fn execute(
        step: FloatStep<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let key = ctx.key(step.key);
        let mut db = ctx.db();
        let old = match db.get_for_write(&key) {
            None => Extended::from(0),
            Some(entry) => match entry.string().map_err(wrong_type)? {
                Str::Int(value) => Extended::from(value),
                Str::Bytes(bytes) => Extended::parse(bytes).ok_or(ReplyError::NotFloat)?,
            },
        };
        let by = step.by.ok_or(ReplyError::NotFloat)?;
        let new = old
            .checked_add(by)
            .ok_or(ReplyError::Text("ERR increment would produce NaN or Infinity"))?
            .to_string();
        db.set_bytes(&key, new.as_bytes(), Ttl::Keep);
        ctx.notify(Class::String, "incrbyfloat", key.bytes);
        ctx.changed(1);
        reply.bulk(new.as_bytes());
        Ok(())
    }
}
