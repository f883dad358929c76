//! HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME: when fields of a hash go.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Hash;

use super::expire::{NO_DEADLINE, NO_FIELD};
use super::fields::fields;

/// The arguments of all four, and of HPERSIST.
pub struct TtlArgs<'a> {
    pub(super) key: &'a [u8],
    /// Judged after the key's type.
    pub(super) fields: Result<&'a [&'a [u8]], ReplyError>,
}

impl<'a> TtlArgs<'a> {
    pub(super) fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        const FEW: ReplyError = ReplyError::Text("ERR Number of fields must be a positive integer");
        Ok(Self { key: args.bytes()?, fields: fields(args, FEW) })
    }

    /// `ms`: milliseconds of the unit; `from_now`: what is left, not the moment.
    fn answer(
        self,
        ms: u64,
        from_now: bool,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let base = if from_now { ctx.now.0 } else { 0 };
        let hash = ctx.read::<Hash>(self.key)?;
        let fields = self.fields?;
        reply.array(fields.len());
        for field in fields {
            reply.int(match hash.and_then(|hash| hash.deadline(field)) {
                None => NO_FIELD,
                Some(None) => NO_DEADLINE,
                // A part of a unit counts as one.
                Some(Some(at)) => at.0.saturating_sub(base).div_ceil(ms) as i64,
            });
        }
        Ok(())
    }
}

const TTL: Spec = Spec {
    since: "7.4.0",
    complexity: "O(N) in the number of fields.",
    syntax: "key (fields: FIELDS numfields:integer field...)",
    arity: Arity(-5),
    flags: Flags::READONLY.with(Flags::FAST),
    ..super::HASH
};

macro_rules! command {
    ($doc:literal, $type:ident, $ms:literal, $from_now:literal, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = TtlArgs<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<TtlArgs<'a>, ReplyError> {
                TtlArgs::read(args)
            }

            fn execute(
                args: TtlArgs<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                args.answer($ms, $from_now, ctx, reply)
            }
        }
    };
}

command! { "`HTTL key FIELDS numfields field [field ...]`", HTtl, 1_000, true, Spec {
    name: "httl",
    summary: "Returns the seconds until fields of a hash go.",
    ..TTL
}}

command! { "`HPTTL key FIELDS numfields field [field ...]`", HPTtl, 1, true, Spec {
    name: "hpttl",
    summary: "Returns the milliseconds until fields of a hash go.",
    ..TTL
}}

command! { "`HEXPIRETIME key FIELDS numfields field [field ...]`", HExpireTime, 1_000, false, Spec {
    name: "hexpiretime",
    summary: "Returns the second at which fields of a hash go.",
    ..TTL
}}

command! { "`HPEXPIRETIME key FIELDS numfields field [field ...]`", HPExpireTime, 1, false, Spec {
    name: "hpexpiretime",
    summary: "Returns the millisecond at which fields of a hash go.",
    ..TTL
}}
