//! BLPOP, BRPOP, BLMOVE, BRPOPLPUSH and BLMPOP: as their namesakes, and they wait when there is nothing.

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec,
};
use stoa_engine::{Block, Command, Ctx, OnTimeout, Reply};
use stoa_keyspace::Type;
use stoa_value::{End, List};

use super::mpop::{LMPop, MPopArgs};
use super::pop::pop_one;
use super::relay::{LMove, MoveArgs, relay};
use crate::timeout::{parse_seconds, until};

const TAKES: KeyFlags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE);

/// Waits for lists; without waiting it answers that there is nothing.
fn wait(keys: &[&[u8]], wait_ms: u64, none: OnTimeout, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) {
    let block = Block {
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        wants: Type::List,
        also_gone: false,
        until: until(wait_ms, ctx),
        on_timeout: none,
        argv: None,
    };
    if !ctx.block(block) {
        none.answer(reply);
    }
}

const POP: Spec = Spec {
    since: "2.0.0",
    complexity: "O(N) in the number of keys.",
    syntax: "key... timeout:double",
    arity: Arity(-3),
    flags: Flags::WRITE.with(Flags::BLOCKING),
    keys: &[KeySpec::range(1, -2, 1, TAKES)],
    ..super::LIST
};

/// Keys, and how long to wait for one of them, milliseconds.
pub struct BPopArgs<'a> {
    keys: &'a [&'a [u8]],
    wait_ms: u64,
}

impl<'a> BPopArgs<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let (timeout, keys) = args.rest().split_last().ok_or(ReplyError::Syntax)?;
        Ok(Self { keys, wait_ms: parse_seconds(timeout)? })
    }
}

fn pop_first(
    args: &BPopArgs<'_>,
    end: End,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    for key in args.keys {
        if ctx.edit::<List>(key)?.is_some() {
            reply.array(2);
            reply.bulk(key);
            pop_one(key, end, ctx, reply)?;
            return Ok(());
        }
    }
    wait(args.keys, args.wait_ms, OnTimeout::NullArray, ctx, reply);
    Ok(())
}

macro_rules! pops {
    ($doc:literal, $type:ident, $end:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = BPopArgs<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<BPopArgs<'a>, ReplyError> {
                BPopArgs::read(args)
            }

            fn execute(
                args: BPopArgs<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                pop_first(&args, $end, ctx, reply)
            }
        }
    };
}

pops! { "`BLPOP key [key ...] timeout`", BLPop, End::Front, Spec {
    name: "blpop",
    summary: "Takes out and returns the first element of the first list that has any, or waits.",
    ..POP
}}

pops! { "`BRPOP key [key ...] timeout`", BRPop, End::Back, Spec {
    name: "brpop",
    summary: "Takes out and returns the last element of the first list that has any, or waits.",
    ..POP
}}

const MOVE: Spec =
    Spec { flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::BLOCKING), ..LMove::SPEC };

/// What to move, and how long to wait for it, milliseconds.
pub struct BMoveArgs<'a> {
    moves: MoveArgs<'a>,
    wait_ms: u64,
}

fn move_one(
    args: &BMoveArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    if !relay(&args.moves, ctx, reply)? {
        wait(&[args.moves.from], args.wait_ms, OnTimeout::Null, ctx, reply);
    }
    Ok(())
}

/// `BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout`
pub struct BLMove;

impl Command for BLMove {
    const SPEC: Spec = Spec {
        name: "blmove",
        summary: "Moves an element from one list to another and returns it, or waits for one.",
        syntax: "source destination (wherefrom: LEFT | RIGHT) (whereto: LEFT | RIGHT) timeout:double",
        arity: Arity(6),
        ..MOVE
    };

    type Args<'a> = BMoveArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BMoveArgs<'a>, ReplyError> {
        let moves = LMove::parse(args)?;
        Ok(BMoveArgs { moves, wait_ms: parse_seconds(args.bytes()?)? })
    }

    fn execute(
        args: BMoveArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        move_one(&args, ctx, reply)
    }
}

/// `BRPOPLPUSH source destination timeout`
pub struct BRPopLPush;

impl Command for BRPopLPush {
    const SPEC: Spec = Spec {
        name: "brpoplpush",
        deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
        summary: "Moves the last element of one list to the front of another, or waits for one.",
        since: "2.2.0",
        syntax: "source destination timeout:double",
        arity: Arity(4),
        ..MOVE
    };

    type Args<'a> = BMoveArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BMoveArgs<'a>, ReplyError> {
        let moves = super::relay::RPopLPush::parse(args)?;
        Ok(BMoveArgs { moves, wait_ms: parse_seconds(args.bytes()?)? })
    }

    fn execute(
        args: BMoveArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        move_one(&args, ctx, reply)
    }
}

/// `BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`
pub struct BLMPop;

/// What to pop, and how long to wait for it, milliseconds.
pub struct BMPopArgs<'a> {
    pops: MPopArgs<'a>,
    wait_ms: u64,
}

impl Command for BLMPop {
    const SPEC: Spec = Spec {
        name: "blmpop",
        summary: "Takes elements out of the first of several lists that is there, or waits for one.",
        syntax: "timeout:double numkeys:integer key... (where: LEFT | RIGHT) [COUNT count]",
        arity: Arity(-5),
        flags: Flags::WRITE.with(Flags::BLOCKING).with(Flags::MOVABLE_KEYS),
        keys: &[KeySpec {
            begin: BeginSearch::Index(2),
            find: FindKeys::Count { num: 0, first: 1, step: 1 },
            flags: TAKES,
        }],
        ..LMPop::SPEC
    };

    type Args<'a> = BMPopArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BMPopArgs<'a>, ReplyError> {
        let wait_ms = parse_seconds(args.bytes()?)?;
        Ok(BMPopArgs { pops: LMPop::parse(args)?, wait_ms })
    }

    fn execute(
        args: BMPopArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if !super::mpop::pop_first(&args.pops, ctx, reply)? {
            wait(&args.pops.keys, args.wait_ms, OnTimeout::NullArray, ctx, reply);
        }
        Ok(())
    }
}
