//! SINTERCARD: how many members several sets have in common.

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec,
};
use stoa_engine::{Command, Ctx, Reply};

use super::combine;

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`
pub struct SInterCard;

/// The arguments of SINTERCARD.
pub struct CardArgs<'a> {
    keys: Vec<&'a [u8]>,
    /// Counts no further.
    limit: usize,
}

impl Command for SInterCard {
    const SPEC: Spec = Spec {
        name: "sintercard",
        summary: "Returns how many members several sets have in common.",
        since: "7.0.0",
        complexity: "O(N*M) in the size of the smallest set and the number of sets.",
        syntax: "numkeys:integer key... [LIMIT limit:integer]",
        arity: Arity(-3),
        flags: Flags::READONLY.with(Flags::MOVABLE_KEYS),
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::Count { num: 0, first: 1, step: 1 },
            flags: KeyFlags::RO.with(KeyFlags::ACCESS),
        }],
        ..super::SET
    };

    type Args<'a> = CardArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<CardArgs<'a>, ReplyError> {
        const FEW: ReplyError = ReplyError::Text("ERR numkeys should be greater than 0");
        const MANY: ReplyError =
            ReplyError::Text("ERR Number of keys can't be greater than number of args");
        const NEGATIVE: ReplyError = ReplyError::Text("ERR LIMIT can't be negative");
        let number = args.int_in(1..=i64::MAX, FEW)?;
        if number as u64 > args.left() as u64 {
            return Err(MANY);
        }
        let keys = (0..number).map(|_| args.bytes()).collect::<Result<_, _>>()?;
        let mut limit = 0;
        while args.left() > 0 {
            if args.left() < 2 || !args.word("LIMIT") {
                return Err(ReplyError::Syntax);
            }
            limit = args.int_in(0..=i64::MAX, NEGATIVE)? as usize;
        }
        Ok(CardArgs { keys, limit: if limit == 0 { usize::MAX } else { limit } })
    }

    fn execute(
        args: CardArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let sets = ctx.read_all(&args.keys)?;
        reply.int(combine::common(&sets).take(args.limit).count() as i64);
        Ok(())
    }
}
