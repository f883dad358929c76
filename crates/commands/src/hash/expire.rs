//! HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT and HPERSIST: sets and takes away deadlines of fields.
//!
//! The arguments are judged after the type of the key, as in the reference.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_stdx::UnixMs;
use stoa_value::Hash;

use super::fields::fields;

/// The last deadline of a field, milliseconds since 1970 and from now on: 46 bits.
const DEADLINE_MAX: i64 = (1 << 46) - 1;

/// When a deadline is set over what the field has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    /// NX: it has none.
    None,
    /// XX: it has one.
    Some,
    /// GT: it has an earlier one.
    Later,
    /// LT: it has a later one, or none.
    Earlier,
}

impl Condition {
    fn holds(self, old: Option<UnixMs>, new: UnixMs) -> bool {
        match self {
            Self::Always => true,
            Self::None => old.is_none(),
            Self::Some => old.is_some(),
            Self::Later => old.is_some_and(|old| new > old),
            Self::Earlier => old.is_none_or(|old| new < old),
        }
    }
}

/// How a deadline is written.
#[derive(Clone, Copy)]
struct Unit {
    ms: i64,
    from_now: bool,
    name: &'static str,
}

impl Unit {
    fn deadline(self, written: i64, now: UnixMs) -> Result<UnixMs, ReplyError> {
        const NEGATIVE: ReplyError = ReplyError::Text("ERR invalid expire time, must be >= 0");
        if written < 0 {
            return Err(NEGATIVE);
        }
        let base = if self.from_now { now.0 as i64 } else { 0 };
        let ms = written.checked_mul(self.ms).filter(|ms| *ms <= DEADLINE_MAX);
        let at = ms.ok_or(ReplyError::InvalidExpire(self.name))? + base;
        Ok(UnixMs(at as u64))
    }
}

/// The arguments of the commands that set deadlines.
pub struct ExpireArgs<'a> {
    key: &'a [u8],
    written: Result<i64, ReplyError>,
    rest: Result<(Condition, &'a [&'a [u8]]), ReplyError>,
}

impl<'a> ExpireArgs<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        Ok(Self { key: args.bytes()?, written: args.int(), rest: Self::rest(args) })
    }

    fn rest(args: &mut Args<'a>) -> Result<(Condition, &'a [&'a [u8]]), ReplyError> {
        const FEW: ReplyError =
            ReplyError::Text("ERR Parameter `numFields` should be greater than 0");
        let conditions = [
            ("NX", Condition::None),
            ("XX", Condition::Some),
            ("GT", Condition::Later),
            ("LT", Condition::Earlier),
        ];
        let condition = conditions.into_iter().find(|(word, _)| args.word(word));
        let condition = condition.map_or(Condition::Always, |(_, condition)| condition);
        Ok((condition, fields(args, FEW)?))
    }

    fn execute(
        self,
        unit: Unit,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let now = ctx.now;
        let deadline = self.written.and_then(|written| unit.deadline(written, now));
        let plan = deadline.and_then(|deadline| Ok((deadline, self.rest?)));
        let Some(mut hash) = ctx.edit::<Hash>(self.key)? else {
            let (_, (_, fields)) = plan?;
            reply.array(fields.len());
            fields.iter().for_each(|_| reply.int(NO_FIELD));
            return Ok(());
        };
        let (deadline, (condition, fields)) = plan?;
        reply.array(fields.len());
        hash.expect_deadlines();
        let (mut changed, mut deleted) = (0, false);
        for field in fields {
            let Some(old) = hash.deadline(field) else {
                reply.int(NO_FIELD);
                continue;
            };
            if !condition.holds(old, deadline) {
                reply.int(0);
                continue;
            }
            changed += 1;
            if deadline <= now {
                hash.remove(field);
                deleted = true;
                reply.int(2);
            } else {
                hash.set_deadline(field, Some(deadline));
                reply.int(1);
            }
        }
        let is_empty = hash.is_empty();
        drop(hash);
        if changed > 0 {
            ctx.notify(Class::Hash, "hexpire", self.key);
            if deleted && is_empty {
                ctx.notify(Class::Generic, "del", self.key);
            }
            ctx.changed(changed);
        }
        Ok(())
    }
}

/// Answered for a field that is not there.
pub(super) const NO_FIELD: i64 = -2;
/// Answered for a field without deadline.
pub(super) const NO_DEADLINE: i64 = -1;

const EXPIRE: Spec = Spec {
    since: "7.4.0",
    complexity: "O(N) in the number of fields.",
    arity: Arity(-6),
    flags: Flags::WRITE.with(Flags::FAST),
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
    ..super::HASH
};

macro_rules! command {
    ($doc:literal, $type:ident, $unit:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = ExpireArgs<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<ExpireArgs<'a>, ReplyError> {
                ExpireArgs::read(args)
            }

            fn execute(
                args: ExpireArgs<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                args.execute($unit, ctx, reply)
            }
        }
    };
}

command! {
    "`HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`",
    HExpire, Unit { ms: 1_000, from_now: true, name: "hexpire" },
    Spec {
        name: "hexpire",
        summary: "Lets fields of a hash go after some seconds.",
        syntax: "key seconds [condition: NX | XX | GT | LT] (fields: FIELDS numfields:integer field...)",
        ..EXPIRE
    }
}

command! {
    "`HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`",
    HPExpire, Unit { ms: 1, from_now: true, name: "hpexpire" },
    Spec {
        name: "hpexpire",
        summary: "Lets fields of a hash go after some milliseconds.",
        syntax: "key milliseconds [condition: NX | XX | GT | LT] (fields: FIELDS numfields:integer field...)",
        ..EXPIRE
    }
}

command! {
    "`HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`",
    HExpireAt, Unit { ms: 1_000, from_now: false, name: "hexpireat" },
    Spec {
        name: "hexpireat",
        summary: "Lets fields of a hash go at some second.",
        syntax: "key unix-time-seconds [condition: NX | XX | GT | LT] (fields: FIELDS numfields:integer field...)",
        ..EXPIRE
    }
}

command! {
    "`HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`",
    HPExpireAt, Unit { ms: 1, from_now: false, name: "hpexpireat" },
    Spec {
        name: "hpexpireat",
        summary: "Lets fields of a hash go at some millisecond.",
        syntax: "key unix-time-milliseconds [condition: NX | XX | GT | LT] (fields: FIELDS numfields:integer field...)",
        ..EXPIRE
    }
}

/// `HPERSIST key FIELDS numfields field [field ...]`
pub struct HPersist;

impl Command for HPersist {
    const SPEC: Spec = Spec {
        name: "hpersist",
        summary: "Takes the deadlines of fields of a hash away.",
        syntax: "key (fields: FIELDS numfields:integer field...)",
        arity: Arity(-5),
        ..EXPIRE
    };

    type Args<'a> = super::ttl::TtlArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        super::ttl::TtlArgs::read(args)
    }

    fn execute(
        args: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let Some(mut hash) = ctx.edit::<Hash>(args.key)? else {
            let fields = args.fields?;
            reply.array(fields.len());
            fields.iter().for_each(|_| reply.int(NO_FIELD));
            return Ok(());
        };
        let fields = args.fields?;
        reply.array(fields.len());
        let mut changed = 0;
        for field in fields {
            match hash.deadline(field) {
                None => reply.int(NO_FIELD),
                Some(None) => reply.int(NO_DEADLINE),
                Some(Some(_)) => {
                    hash.set_deadline(field, None);
                    changed += 1;
                    reply.int(1);
                }
            }
        }
        drop(hash);
        if changed > 0 {
            ctx.notify(Class::Hash, "hpersist", args.key);
            ctx.changed(changed);
        }
        Ok(())
    }
}
