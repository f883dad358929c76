//! LMPOP: takes elements out of the first list that has any.

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec,
};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{End, List};

/// `LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`
pub struct LMPop;

/// The arguments of LMPOP.
pub struct MPopArgs<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    end: End,
    count: usize,
}

impl Command for LMPop {
    const SPEC: Spec = Spec {
        name: "lmpop",
        summary: "Takes elements out of the first of several lists that is there.",
        since: "7.0.0",
        complexity: "O(N+M) in the number of keys and of elements returned.",
        syntax: "numkeys:integer key... (where: LEFT | RIGHT) [COUNT count]",
        arity: Arity(-4),
        flags: Flags::WRITE.with(Flags::MOVABLE_KEYS),
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::Count { num: 0, first: 1, step: 1 },
            flags: KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE),
        }],
        ..super::LIST
    };

    type Args<'a> = MPopArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<MPopArgs<'a>, ReplyError> {
        const FEW_KEYS: ReplyError = ReplyError::Text("ERR numkeys should be greater than 0");
        const NO_COUNT: ReplyError = ReplyError::Text("ERR count should be greater than 0");
        let number = args.int_in(1..=i64::MAX, FEW_KEYS)?;
        if number as u64 >= args.left() as u64 {
            return Err(ReplyError::Syntax);
        }
        let keys = (0..number).map(|_| args.bytes()).collect::<Result<_, _>>()?;
        let end = args.choice(super::ENDS)?;
        let mut count = None;
        while args.left() > 0 {
            if count.is_some() || args.left() < 2 || !args.word("COUNT") {
                return Err(ReplyError::Syntax);
            }
            count = Some(args.int_in(1..=i64::MAX, NO_COUNT)? as usize);
        }
        Ok(MPopArgs { keys, end, count: count.unwrap_or(1) })
    }

    fn execute(
        args: MPopArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if !pop_first(&args, ctx, reply)? {
            reply.null_array();
        }
        Ok(())
    }
}

/// Pops from the first list there is, and answers. False, and no answer, without one.
pub(super) fn pop_first(
    args: &MPopArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<bool, ReplyError> {
    for key in &args.keys {
        if ctx.edit::<List>(key)?.is_none() {
            continue;
        }
        reply.array(2);
        reply.bulk(key);
        super::pop::pop_many(key, args.end, args.count, ctx, reply)?;
        return Ok(true);
    }
    Ok(false)
}
