//! HGET, HMGET, HEXISTS, HSTRLEN and HLEN: what a hash holds, field by field.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{Hash, Str};

/// `HGET key field`
pub struct HGet;

/// `HMGET key field [field ...]`
pub struct HMGet;

/// `HEXISTS key field`
pub struct HExists;

/// `HSTRLEN key field`
pub struct HStrLen;

/// `HLEN key`
pub struct HLen;

/// A key and a field of it.
type Field<'a> = (&'a [u8], &'a [u8]);

const OF_FIELD: Spec = Spec {
    complexity: "O(1)",
    syntax: "key field",
    arity: Arity(3),
    flags: Flags::READONLY.with(Flags::FAST),
    keys: &[KeySpec::first(KeyFlags::RO)],
    ..super::HASH
};

fn bulk(value: Option<Str<'_>>, reply: &mut dyn Reply) {
    match value {
        Some(value) => value.with(|value| reply.bulk(value)),
        None => reply.null(),
    }
}

impl Command for HGet {
    const SPEC: Spec = Spec {
        name: "hget",
        summary: "Returns the value of a field of a hash.",
        keys: super::HASH.keys,
        ..OF_FIELD
    };

    type Args<'a> = Field<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Field<'a>, ReplyError> {
        Ok((args.bytes()?, args.bytes()?))
    }

    fn execute(
        (key, field): Field<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        bulk(ctx.read::<Hash>(key)?.and_then(|hash| hash.get(field)), reply);
        Ok(())
    }
}

impl Command for HMGet {
    const SPEC: Spec = Spec {
        name: "hmget",
        summary: "Returns the values of fields of a hash.",
        complexity: "O(N) in the number of fields asked for.",
        syntax: "key field...",
        arity: Arity(-3),
        ..HGet::SPEC
    };

    type Args<'a> = (&'a [u8], &'a [&'a [u8]]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.rest()))
    }

    fn execute(
        (key, fields): (&[u8], &[&[u8]]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let hash = ctx.read::<Hash>(key)?;
        reply.array(fields.len());
        fields.iter().for_each(|field| bulk(hash.and_then(|hash| hash.get(field)), reply));
        Ok(())
    }
}

impl Command for HExists {
    const SPEC: Spec =
        Spec { name: "hexists", summary: "Tells whether a field of a hash is there.", ..OF_FIELD };

    type Args<'a> = Field<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Field<'a>, ReplyError> {
        HGet::parse(args)
    }

    fn execute(
        (key, field): Field<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        reply.int(ctx.read::<Hash>(key)?.is_some_and(|hash| hash.contains(field)).into());
        Ok(())
    }
}

impl Command for HStrLen {
    const SPEC: Spec = Spec {
        name: "hstrlen",
        summary: "Returns the length of the value of a field of a hash.",
        since: "3.2.0",
        ..OF_FIELD
    };

    type Args<'a> = Field<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Field<'a>, ReplyError> {
        HGet::parse(args)
    }

    fn execute(
        (key, field): Field<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let value = ctx.read::<Hash>(key)?.and_then(|hash| hash.get(field));
        reply.int(value.map_or(0, |value| value.len()) as i64);
        Ok(())
    }
}

impl Command for HLen {
    const SPEC: Spec = Spec {
        name: "hlen",
        summary: "Returns how many fields a hash has.",
        syntax: "key",
        arity: Arity(2),
        ..OF_FIELD
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(ctx.read::<Hash>(key)?.map_or(0, Hash::len) as i64);
        Ok(())
    }
}
