//! GETEX: the value of a string, whose deadline is moved or taken away.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_stdx::UnixMs;

use super::expiration::Said;
use crate::reply_string;
use crate::ttl::Written;

const NAME: &str = "getex";

/// `GETEX key [EX s | PX ms | EXAT ts | PXAT ts | PERSIST]`
pub struct GetEx;

/// The arguments of GETEX.
pub struct GetExArgs<'a> {
    key: &'a [u8],
    persist: bool,
    /// A number that will not do is refused only if the key is there.
    written: Result<Option<Written>, ReplyError>,
}

impl Command for GetEx {
    const SPEC: Spec = Spec {
        name: NAME,
        summary: "Answers a string and sets or takes away its deadline.",
        since: "6.2.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key [expiration: EX seconds | PX milliseconds | EXAT unix-time-seconds | \
                 PXAT unix-time-milliseconds | PERSIST]",
        arity: Arity(-2),
        flags: Flags::WRITE.with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = GetExArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<GetExArgs<'a>, ReplyError> {
        let key = args.bytes()?;
        let mut said = Said::Nothing;
        while args.left() > 0 {
            said.read(args, "PERSIST")?;
        }
        Ok(GetExArgs { key, persist: said == Said::Alone, written: said.written(NAME) })
    }

    fn execute(
        args: GetExArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (key, now) = (ctx.key(args.key), ctx.now);
        let mut db = ctx.db();
        let old = db.get(&key);
        reply_string(old.as_ref(), reply)?;
        let Some(old_deadline) = old.map(|entry| entry.deadline()) else { return Ok(()) };
        let deadline = match args.written? {
            Some(written) => Some((written.at(now, NAME)?, written.unit.relative)),
            None if args.persist && old_deadline.is_some() => None,
            None => return Ok(()),
        };
        let event = match deadline {
            // A moment that has come already takes the key at once.
            Some((at, false)) if at <= now.0 as i64 => {
                db.remove(&key);
                "del"
            }
            Some((at, _)) => {
                db.set_deadline(&key, Some(UnixMs(at as u64)));
                "expire"
            }
            None => {
                db.set_deadline(&key, None);
                "persist"
            }
        };
        ctx.notify(Class::Generic, event, key.bytes);
        ctx.changed(1);
        Ok(())
    }
}
