//! LPOS: where elements equal to one are.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{List, Str};

/// `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`
pub struct LPos;

/// The arguments of LPOS.
pub struct PosArgs<'a> {
    key: &'a [u8],
    element: &'a [u8],
    /// Matches to leave out first.
    skip: u64,
    /// From the end on.
    back: bool,
    /// None: one, answered by itself. 0: all.
    count: Option<usize>,
    /// Elements to look at.
    look: usize,
}

impl Command for LPos {
    const SPEC: Spec = Spec {
        name: "lpos",
        summary: "Returns the places of elements of a list that are equal to one.",
        since: "6.0.6",
        complexity: "O(N) in the number of elements looked at.",
        syntax: "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
        arity: Arity(-3),
        flags: Flags::READONLY,
        ..super::LIST
    };

    type Args<'a> = PosArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<PosArgs<'a>, ReplyError> {
        const ZERO: ReplyError = ReplyError::Text(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
             or use negative to start from the end of the list",
        );
        const LEAST: ReplyError = ReplyError::Text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        );
        let (key, element) = (args.bytes()?, args.bytes()?);
        let mut pos = PosArgs { key, element, skip: 0, back: false, count: None, look: usize::MAX };
        while args.left() > 0 {
            // An option without its value is no option.
            if args.left() < 2 {
                return Err(ReplyError::Syntax);
            }
            if args.word("RANK") {
                let rank = args.int()?;
                if rank == 0 || rank == i64::MIN {
                    return Err(if rank == 0 { ZERO } else { LEAST });
                }
                (pos.skip, pos.back) = (rank.unsigned_abs() - 1, rank < 0);
            } else if args.word("COUNT") {
                let negative = ReplyError::Text("ERR COUNT can't be negative");
                pos.count = Some(args.int_in(0..=i64::MAX, negative)? as usize);
            } else if args.word("MAXLEN") {
                let negative = ReplyError::Text("ERR MAXLEN can't be negative");
                let look = args.int_in(0..=i64::MAX, negative)? as usize;
                pos.look = if look == 0 { usize::MAX } else { look };
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(pos)
    }

    fn execute(
        args: PosArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let found = ctx.read::<List>(args.key)?.map(|list| find(&args, list)).unwrap_or_default();
        if args.count.is_some() {
            reply.array(found.len());
            found.iter().for_each(|at| reply.int(*at as i64));
        } else {
            match found.first() {
                Some(at) => reply.int(*at as i64),
                None => reply.null(),
            }
        }
        Ok(())
    }
}

fn find(args: &PosArgs<'_>, list: &List) -> Vec<usize> {
    let most = match args.count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let skip = usize::try_from(args.skip).unwrap_or(usize::MAX);
    let is_wanted = |element: Str<'_>| element.with(|element| element == args.element);
    let len = list.len();
    if args.back {
        let elements = list.iter_back_from(len - 1).take(args.look).enumerate();
        let found = elements.filter(|(_, element)| is_wanted(*element)).skip(skip).take(most);
        found.map(|(at, _)| len - 1 - at).collect()
    } else {
        let elements = list.iter().take(args.look).enumerate();
        let found = elements.filter(|(_, element)| is_wanted(*element)).skip(skip).take(most);
        found.map(|(at, _)| at).collect()
    }
}
