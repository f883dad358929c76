//! LREM: takes out elements that are equal to one.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{End, List};

/// `LREM key count element`
pub struct LRem;

/// The arguments of LREM.
pub struct RemArgs<'a> {
    key: &'a [u8],
    from: End,
    count: usize,
    element: &'a [u8],
}

impl Command for LRem {
    const SPEC: Spec = Spec {
        name: "lrem",
        summary: "Takes out elements of a list that are equal to one, from either end on.",
        complexity: "O(N) in the length of the list.",
        syntax: "key count element",
        arity: Arity(4),
        flags: Flags::WRITE,
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
        ..super::LIST
    };

    type Args<'a> = RemArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RemArgs<'a>, ReplyError> {
        const LEAST: ReplyError = ReplyError::Text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        );
        let key = args.bytes()?;
        let count = args.int()?;
        if count == i64::MIN {
            return Err(LEAST);
        }
        let from = if count < 0 { End::Back } else { End::Front };
        let count = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
        Ok(RemArgs { key, from, count, element: args.bytes()? })
    }

    fn execute(
        args: RemArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let rules = ctx.rules();
        let Some(mut list) = ctx.edit::<List>(args.key)? else {
            reply.int(0);
            return Ok(());
        };
        let removed = list.remove_matching(args.element, args.from, args.count);
        let is_empty = list.is_empty();
        if removed > 0 {
            list.settle(&rules);
        }
        drop(list);
        if removed > 0 {
            ctx.notify(Class::List, "lrem", args.key);
            if is_empty {
                ctx.notify(Class::Generic, "del", args.key);
            }
            ctx.changed(removed as u64);
        }
        reply.int(removed as i64);
        Ok(())
    }
}
