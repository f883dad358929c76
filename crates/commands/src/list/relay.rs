//! LMOVE and RPOPLPUSH: takes an element from one list and adds it to another, or to the same.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{End, List};

/// `LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>`
pub struct LMove;

/// `RPOPLPUSH source destination`
pub struct RPopLPush;

/// The arguments of both.
pub struct MoveArgs<'a> {
    pub(super) from: &'a [u8],
    to: &'a [u8],
    pop: End,
    push: End,
}

const MOVE: Spec = Spec {
    complexity: "O(1)",
    flags: Flags::WRITE.with(Flags::DENYOOM),
    keys: &[
        KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::RW.with(KeyFlags::INSERT)),
    ],
    ..super::LIST
};

/// Moves and answers one element. False, and no answer, without a source.
pub(super) fn relay(
    args: &MoveArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<bool, ReplyError> {
    let rules = ctx.rules();
    let Some(source) = ctx.edit::<List>(args.from)? else { return Ok(false) };
    let element = source.end(args.pop).expect("no list is empty").to_vec();
    drop(source);
    reply.bulk(&element);
    let same = args.from == args.to;
    if same {
        let mut list = ctx.edit_or_new::<List>(args.from)?;
        list.cut(args.pop, 1);
        list.push(args.push, &element, &rules);
    } else {
        let mut list = ctx.edit_or_new::<List>(args.to)?;
        list.expect(&[&element], &rules);
        list.push(args.push, &element, &rules);
    }
    super::pushed(ctx, args.to, args.push);
    let mut is_empty = false;
    if !same && let Some(mut list) = ctx.edit::<List>(args.from)? {
        list.cut(args.pop, 1);
        list.settle(&rules);
        is_empty = list.is_empty();
    }
    super::popped(ctx, args.from, args.pop, is_empty);
    ctx.changed(1);
    Ok(true)
}

impl Command for LMove {
    const SPEC: Spec = Spec {
        name: "lmove",
        summary: "Moves an element from one end of a list to one end of another, and returns it.",
        since: "6.2.0",
        syntax: "source destination (wherefrom: LEFT | RIGHT) (whereto: LEFT | RIGHT)",
        arity: Arity(5),
        ..MOVE
    };

    type Args<'a> = MoveArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<MoveArgs<'a>, ReplyError> {
        Ok(MoveArgs {
            from: args.bytes()?,
            to: args.bytes()?,
            pop: args.choice(super::ENDS)?,
            push: args.choice(super::ENDS)?,
        })
    }

    fn execute(
        args: MoveArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if !relay(&args, ctx, reply)? {
            reply.null();
        }
        Ok(())
    }
}

impl Command for RPopLPush {
    const SPEC: Spec = Spec {
        name: "rpoplpush",
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
        summary: "Moves the last element of a list to the head of another, and returns it.",
        since: "1.2.0",
        syntax: "source destination",
        arity: Arity(3),
        ..MOVE
    };

    type Args<'a> = MoveArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<MoveArgs<'a>, ReplyError> {
        Ok(MoveArgs { from: args.bytes()?, to: args.bytes()?, pop: End::Back, push: End::Front })
    }

    fn execute(
        args: MoveArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        LMove::execute(args, ctx, reply)
    }
}
