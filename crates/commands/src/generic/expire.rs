//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT: gives a key a deadline, from now or since 1970, in seconds or
//! milliseconds. A deadline that is not after now removes the key at once.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_stdx::UnixMs;

use crate::ttl::{Unit, Written};

/// When the deadline is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four words that a client may combine")]
struct Condition {
    /// NX: if there is none.
    if_none: bool,
    /// XX: if there is one.
    if_some: bool,
    /// GT: if it is later. None counts as the end of time.
    if_later: bool,
    /// LT: if it is earlier.
    if_earlier: bool,
}

/// The arguments of EXPIRE and its variants.
pub struct ExpireArgs<'a> {
    key: &'a [u8],
    /// Or the option that is none: the error repeats the client's word, which the shared errors,
    /// being of one size, cannot.
    wanted: Result<(Written, Condition), &'a [u8]>,
}

const SPEC: Spec = Spec {
    group: Group::Generic,
    arity: Arity(-3),
    flags: Flags::WRITE.with(Flags::FAST),
    categories: &[Category::Keyspace],
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
    ..Spec::DEFAULT
};

macro_rules! command {
    ($doc:literal, $type:ident, $unit:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = ExpireArgs<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<ExpireArgs<'a>, ReplyError> {
                parse(args, $unit)
            }

            fn execute(
                args: ExpireArgs<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                match args.wanted {
                    Ok((deadline, condition)) => {
                        let deadline_ms = deadline.at(ctx.now, Self::SPEC.name)?;
                        reply.int(expire(args.key, deadline_ms, condition, ctx).into());
                    }
                    Err(word) => {
                        reply.error_echo("ERR Unsupported option ", word, "");
                    }
                }
                Ok(())
            }
        }
    };
}

command! { "`EXPIRE key seconds [NX | XX | GT | LT]`", Expire, Unit::EX, Spec {
    name: "expire",
    summary: "Makes a key due in that many seconds.",
    syntax: "key seconds [condition: NX | XX | GT | LT]",
    ..SPEC
}}

command! { "`PEXPIRE key milliseconds [NX | XX | GT | LT]`", PExpire, Unit::PX, Spec {
    name: "pexpire",
    summary: "Makes a key due in that many milliseconds.",
    since: "2.6.0",
    syntax: "key milliseconds [condition: NX | XX | GT | LT]",
    ..SPEC
}}

command! { "`EXPIREAT key unix-time-seconds [NX | XX | GT | LT]`", ExpireAt, Unit::EXAT, Spec {
    name: "expireat",
    summary: "Makes a key due at a moment, in seconds since 1970.",
    since: "1.2.0",
    syntax: "key unix-time-seconds [condition: NX | XX | GT | LT]",
    ..SPEC
}}

command! { "`PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]`", PExpireAt, Unit::PXAT, Spec {
    name: "pexpireat",
    summary: "Makes a key due at a moment, in milliseconds since 1970.",
    since: "2.6.0",
    syntax: "key unix-time-milliseconds [condition: NX | XX | GT | LT]",
    ..SPEC
}}

fn parse<'a>(args: &mut Args<'a>, unit: Unit) -> Result<ExpireArgs<'a>, ReplyError> {
    let (key, number) = (args.bytes()?, args.bytes()?);
    let mut condition = Condition::default();
    while let Some(word) = args.peek() {
        if args.word("NX") {
            condition.if_none = true;
        } else if args.word("XX") {
            condition.if_some = true;
        } else if args.word("GT") {
            condition.if_later = true;
        } else if args.word("LT") {
            condition.if_earlier = true;
        } else {
            args.rest();
            return Ok(ExpireArgs { key, wanted: Err(word) });
        }
    }
    condition.check()?;
    // The options are judged before the number, as in Redis.
    let value = stoa_command::parse_int(number).ok_or(ReplyError::NotInteger)?;
    Ok(ExpireArgs { key, wanted: Ok((Written { value, unit }, condition)) })
}

impl Condition {
    /// Refuses what could never hold.
    const fn check(self) -> Result<(), ReplyError> {
        let Self { if_none, if_some, if_later, if_earlier } = self;
        if if_none && (if_some || if_later || if_earlier) {
            return Err(ReplyError::Text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if if_later && if_earlier {
            return Err(ReplyError::Text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(())
    }

    /// Whether the deadline is set: the decision, which changes nothing.
    fn holds(self, old: Option<UnixMs>, deadline_ms: i64) -> bool {
        let old_ms = old.map(|deadline| deadline.0 as i64);
        (!self.if_none || old_ms.is_none())
            && (!self.if_some || old_ms.is_some())
            && (!self.if_later || old_ms.is_some_and(|old_ms| deadline_ms > old_ms))
            && (!self.if_earlier || old_ms.is_none_or(|old_ms| deadline_ms < old_ms))
    }
}

/// True when the key got the deadline, or went because of it.
fn expire(key: &[u8], deadline_ms: i64, condition: Condition, ctx: &mut Ctx<'_>) -> bool {
    let now = ctx.now;
    let key = ctx.key(key);
    let mut db = ctx.db();
    let Some(entry) = db.get_for_write(&key) else { return false };
    if !condition.holds(entry.deadline(), deadline_ms) {
        return false;
    }
    let event = if deadline_ms <= now.0 as i64 {
        db.remove(&key);
        "del"
    } else {
        db.set_deadline(&key, Some(UnixMs(deadline_ms as u64)));
        "expire"
    };
    ctx.notify(Class::Generic, event, key.bytes);
    ctx.changed(1);
    true
}
