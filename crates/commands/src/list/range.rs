//! LRANGE and LTRIM: the elements from one place to another.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{End, List};

use super::place;

/// `LRANGE key start stop`
pub struct LRange;

/// `LTRIM key start stop`
pub struct LTrim;

/// The arguments of both.
pub struct RangeArgs<'a> {
    key: &'a [u8],
    start: i64,
    stop: i64,
}

impl Command for LRange {
    const SPEC: Spec = Spec {
        name: "lrange",
        summary: "Returns the elements of a list from one place to another.",
        complexity: "O(S+N) in the blocks before the range and the elements returned.",
        syntax: "key start:integer stop:integer",
        arity: Arity(4),
        flags: Flags::READONLY,
        ..super::LIST
    };

    type Args<'a> = RangeArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RangeArgs<'a>, ReplyError> {
        Ok(RangeArgs { key: args.bytes()?, start: args.int()?, stop: args.int()? })
    }

    fn execute(
        args: RangeArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let list = ctx.read::<List>(args.key)?;
        let range = list.and_then(|list| {
            let (first, count) = place::range(args.start, args.stop, list.len())?;
            Some((list.iter_from(first), count))
        });
        let Some((elements, count)) = range else {
            reply.array(0);
            return Ok(());
        };
        reply.array(count);
        elements.take(count).for_each(|element| element.with(|element| reply.bulk(element)));
        Ok(())
    }
}

impl Command for LTrim {
    const SPEC: Spec = Spec {
        name: "ltrim",
        summary: "Takes out the elements of a list before one place and after another.",
        complexity: "O(N) in the number of elements taken out.",
        syntax: "key start:integer stop:integer",
        arity: Arity(4),
        flags: Flags::WRITE,
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
        ..super::LIST
    };

    type Args<'a> = RangeArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RangeArgs<'a>, ReplyError> {
        LRange::parse(args)
    }

    fn execute(
        args: RangeArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let rules = ctx.rules();
        reply.ok();
        let Some(mut list) = ctx.edit::<List>(args.key)? else { return Ok(()) };
        let len = list.len();
        let (first, count) = place::range(args.start, args.stop, len).unwrap_or((len, 0));
        if count == 0 {
            list.remove_key();
        } else {
            list.cut(End::Back, len - first - count);
            list.cut(End::Front, first);
            list.settle(&rules);
            drop(list);
        }
        ctx.notify(Class::List, "ltrim", args.key);
        if count == 0 {
            ctx.notify(Class::Generic, "del", args.key);
        }
        ctx.changed((len - count) as u64);
        Ok(())
    }
}
