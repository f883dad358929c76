//! LPUSH, RPUSH, LPUSHX and RPUSHX: adds elements at one end.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{End, List};

const PUSH: Spec = Spec {
    complexity: "O(N) in the number of elements added.",
    syntax: "key element...",
    arity: Arity(-3),
    flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::INSERT))],
    ..super::LIST
};

/// The arguments of a push.
pub struct PushArgs<'a> {
    key: &'a [u8],
    elements: &'a [&'a [u8]],
}

fn push(
    args: &PushArgs<'_>,
    end: End,
    only_there: bool,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let rules = ctx.rules();
    let mut list = if only_there {
        match ctx.edit::<List>(args.key)? {
            Some(list) => list,
            None => {
                reply.int(0);
                return Ok(());
            }
        }
    } else {
        ctx.edit_or_new::<List>(args.key)?
    };
    list.expect(args.elements, &rules);
    for element in args.elements {
        list.push(end, element, &rules);
    }
    reply.int(list.len() as i64);
    drop(list);
    super::pushed(ctx, args.key, end);
    ctx.changed(args.elements.len() as u64);
    Ok(())
}

macro_rules! command {
    ($doc:literal, $type:ident, $end:expr, $only_there:literal, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = PushArgs<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<PushArgs<'a>, ReplyError> {
                Ok(PushArgs { key: args.bytes()?, elements: args.rest() })
            }

            fn execute(
                args: PushArgs<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                push(&args, $end, $only_there, ctx, reply)
            }
        }
    };
}

command! { "`LPUSH key element [element ...]`", LPush, End::Front, false, Spec {
    name: "lpush",
    summary: "Adds elements at the head of a list, one after the other.",
    ..PUSH
}}

command! { "`RPUSH key element [element ...]`", RPush, End::Back, false, Spec {
    name: "rpush",
    summary: "Adds elements at the tail of a list.",
    ..PUSH
}}

command! { "`LPUSHX key element [element ...]`", LPushX, End::Front, true, Spec {
    name: "lpushx",
    summary: "Adds elements at the head of a list if there is one.",
    since: "2.2.0",
    ..PUSH
}}

command! { "`RPUSHX key element [element ...]`", RPushX, End::Back, true, Spec {
    name: "rpushx",
    summary: "Adds elements at the tail of a list if there is one.",
    since: "2.2.0",
    ..PUSH
}}
