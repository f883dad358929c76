//! LPOP and RPOP: takes elements out at one end.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{End, List};

const POP: Spec = Spec {
    complexity: "O(N) in the number of elements returned.",
    syntax: "key [count]",
    arity: Arity(-2),
    flags: Flags::WRITE.with(Flags::FAST),
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE))],
    ..super::LIST
};

/// The arguments of a pop.
pub struct PopArgs<'a> {
    key: &'a [u8],
    count: Option<usize>,
}

impl<'a> PopArgs<'a> {
    fn read(args: &mut Args<'a>, name: &'static str) -> Result<Self, ReplyError> {
        let key = args.bytes()?;
        if args.left() > 1 {
            return Err(ReplyError::WrongArity(name));
        }
        let count = (args.left() == 1)
            .then(|| args.int_in(0..=i64::MAX, ReplyError::NotPositive))
            .transpose()?;
        Ok(Self { key, count: count.map(|count| count as usize) })
    }
}

fn pop(
    args: &PopArgs<'_>,
    end: End,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    match args.count {
        None => {
            if !pop_one(args.key, end, ctx, reply)? {
                reply.null();
            }
        }
        Some(0) => match ctx.edit::<List>(args.key)? {
            None => reply.null_array(),
            Some(_) => reply.array(0),
        },
        Some(count) => {
            if !pop_many(args.key, end, count, ctx, reply)? {
                reply.null_array();
            }
        }
    }
    Ok(())
}

/// Pops and answers one element. False, and no answer, without a list.
pub(super) fn pop_one(
    key: &[u8],
    end: End,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<bool, ReplyError> {
    let rules = ctx.rules();
    let Some(mut list) = ctx.edit::<List>(key)? else { return Ok(false) };
    list.pop(end, |element| element.with(|element| reply.bulk(element)));
    list.settle(&rules);
    let is_empty = list.is_empty();
    drop(list);
    super::popped(ctx, key, end, is_empty);
    ctx.changed(1);
    Ok(true)
}

/// Pops up to `count` elements and answers them as an array. False, and no answer, without a list.
pub(super) fn pop_many(
    key: &[u8],
    end: End,
    count: usize,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<bool, ReplyError> {
    let rules = ctx.rules();
    let Some(mut list) = ctx.edit::<List>(key)? else { return Ok(false) };
    let count = count.min(list.len());
    reply.array(count);
    let mut answer = |element: stoa_value::Str<'_>| element.with(|element| reply.bulk(element));
    match end {
        End::Front => list.iter().take(count).for_each(&mut answer),
        End::Back => list.iter_back_from(list.len() - 1).take(count).for_each(&mut answer),
    }
    list.cut(end, count);
    list.settle(&rules);
    let is_empty = list.is_empty();
    drop(list);
    super::popped(ctx, key, end, is_empty);
    ctx.changed(count as u64);
    Ok(true)
}

macro_rules! command {
    ($doc:literal, $type:ident, $name:literal, $end:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = PopArgs<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<PopArgs<'a>, ReplyError> {
                PopArgs::read(args, $name)
            }

            fn execute(
                args: PopArgs<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                pop(&args, $end, ctx, reply)
            }
        }
    };
}

command! { "`LPOP key [count]`", LPop, "lpop", End::Front, Spec {
    name: "lpop",
    summary: "Takes out and returns the first elements of a list.",
    ..POP
}}

command! { "`RPOP key [count]`", RPop, "rpop", End::Back, Spec {
    name: "rpop",
    summary: "Takes out and returns the last elements of a list.",
    ..POP
}}
