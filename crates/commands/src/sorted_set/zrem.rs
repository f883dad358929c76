//! ZREM: members leave.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::SortedSet;

use super::{REMOVES, notify_gone};
use crate::define::define;

define! { "`ZREM key member [member ...]`", ZRem, RemArgs, parse, execute, Spec {
    name: "zrem",
    summary: "Removes members.",
    since: "1.2.0",
    complexity: "O(M*log(N)), M members removed of N.",
    syntax: "key member...",
    arity: Arity(-3),
    flags: Flags::WRITE.with(Flags::FAST),
    ..REMOVES
}}

/// A key and members of it.
pub struct RemArgs<'a> {
    key: &'a [u8],
    members: &'a [&'a [u8]],
}

fn parse<'a>(args: &mut Args<'a>) -> Result<RemArgs<'a>, ReplyError> {
    Ok(RemArgs { key: args.bytes()?, members: args.rest() })
}

fn execute(args: RemArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let (mut removed, mut is_gone) = (0, false);
    if let Some(mut set) = ctx.edit::<SortedSet>(args.key)? {
        // Named in full: the borrowed value has a `remove` of its own, of the whole key.
        let mut leave = |member: &&[u8]| SortedSet::remove(&mut set, member).is_some();
        removed = args.members.iter().filter(|member| leave(member)).count();
        is_gone = set.is_empty();
    }
    if removed > 0 {
        ctx.notify(Class::SortedSet, "zrem", args.key);
        notify_gone(is_gone, args.key, ctx);
        ctx.changed(removed as u64);
    }
    reply.int(removed as i64);
    Ok(())
}
