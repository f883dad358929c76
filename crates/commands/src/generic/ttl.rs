//! TTL, PTTL, EXPIRETIME, PEXPIRETIME: when a key is due, from now or since 1970, in seconds or
//! milliseconds. -2 says that there is no such key, -1 that it has no deadline.
//!
//! Seconds are rounded to the nearest, so a key set with EX 10 has a TTL of 10 for half a second.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use crate::ttl::Unit;

const SPEC: Spec = Spec {
    group: Group::Generic,
    syntax: "key",
    arity: Arity(2),
    flags: Flags::READONLY.with(Flags::FAST),
    categories: &[Category::Keyspace],
    keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
    ..Spec::DEFAULT
};

macro_rules! command {
    ($doc:literal, $type:ident, $unit:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = &'a [u8];

            fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
                args.bytes()
            }

            fn execute(
                key: &[u8],
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                reply.int(answer(key, $unit, ctx));
                Ok(())
            }
        }
    };
}

command! { "`TTL key`", Ttl, Unit::EX, Spec {
    name: "ttl",
    summary: "Returns the seconds until a key is due.",
    tips: &["nondeterministic_output"],
    ..SPEC
}}

command! { "`PTTL key`", PTtl, Unit::PX, Spec {
    name: "pttl",
    summary: "Returns the milliseconds until a key is due.",
    since: "2.6.0",
    tips: &["nondeterministic_output"],
    ..SPEC
}}

command! { "`EXPIRETIME key`", ExpireTime, Unit::EXAT, Spec {
    name: "expiretime",
    summary: "Returns when a key is due, in seconds since 1970.",
    since: "7.0.0",
    ..SPEC
}}

command! { "`PEXPIRETIME key`", PExpireTime, Unit::PXAT, Spec {
    name: "pexpiretime",
    summary: "Returns when a key is due, in milliseconds since 1970.",
    since: "7.0.0",
    ..SPEC
}}

fn answer(key: &[u8], unit: Unit, ctx: &mut Ctx<'_>) -> i64 {
    let now = ctx.now;
    let key = ctx.key(key);
    let mut db = ctx.db();
    let Some(entry) = db.get_untouched(&key) else { return -2 };
    let Some(deadline) = entry.deadline() else { return -1 };
    // A live key's deadline is not before now.
    let ms = if unit.relative { deadline.0.saturating_sub(now.0) } else { deadline.0 };
    // Unsigned, so that the last deadline can be rounded up, too.
    ((ms + unit.ms as u64 / 2) / unit.ms as u64) as i64
}
