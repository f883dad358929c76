//! HRANDFIELD: fields by chance.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Proto, Reply};
use stoa_value::{Hash, Str};

use crate::sample::{self, Count};

/// `HRANDFIELD key [count [WITHVALUES]]`
pub struct HRandField;

/// The arguments of HRANDFIELD.
pub struct RandArgs<'a> {
    key: &'a [u8],
    count: Option<Count>,
    values: bool,
}

impl Command for HRandField {
    const SPEC: Spec = Spec {
        name: "hrandfield",
        summary: "Returns fields of a hash by chance.",
        since: "6.2.0",
        complexity: "O(N) in the number of fields returned.",
        syntax: "key [options: count [WITHVALUES]]",
        arity: Arity(-2),
        flags: Flags::READONLY,
        tips: &["nondeterministic_output"],
        ..super::HASH
    };

    type Args<'a> = RandArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RandArgs<'a>, ReplyError> {
        let key = args.bytes()?;
        if args.left() == 0 {
            return Ok(RandArgs { key, count: None, values: false });
        }
        let count = sample::number(args)?;
        let values = args.left() > 0;
        if args.left() > 1 || values && !args.word("WITHVALUES") {
            return Err(ReplyError::Syntax);
        }
        if values && count.unsigned_abs() > i64::MAX as u64 / 2 {
            return Err(ReplyError::OutOfRange);
        }
        Ok(RandArgs { key, count: Some(Count::of(count)?), values })
    }

    fn execute(
        args: RandArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let mut rng = ctx.chance();
        let nested = ctx.proto() == Proto::Resp3;
        let hash = ctx.read::<Hash>(args.key)?;
        let Some(count) = args.count else {
            match hash.and_then(|hash| hash.random(&mut rng)) {
                Some((field, _)) => field.with(|field| reply.bulk(field)),
                None => reply.null(),
            }
            return Ok(());
        };
        let Some(hash) = hash else {
            reply.array(0);
            return Ok(());
        };
        let answers = count.answers(hash.len());
        reply.array(if args.values && !nested { 2 * answers } else { answers });
        let mut answer = |(field, value): (Str<'_>, Str<'_>)| {
            if args.values && nested {
                reply.array(2);
            }
            field.with(|field| reply.bulk(field));
            if args.values {
                value.with(|value| reply.bulk(value));
            }
        };
        match count {
            Count::Distinct(count) if count >= hash.len() => {
                hash.iter().for_each(|(field, value, _)| answer((field, value)));
            }
            Count::Distinct(count) => {
                let chosen = sample::distinct(hash.len(), count, &mut rng);
                chosen.into_iter().filter_map(|n| hash.nth(n)).for_each(answer);
            }
            Count::Draws(count) => {
                (0..count).filter_map(|_| hash.random(&mut rng)).for_each(answer);
            }
        }
        Ok(())
    }
}
