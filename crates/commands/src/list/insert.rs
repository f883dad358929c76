//! LINSERT: puts an element beside another.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{List, Str};

/// `LINSERT key <BEFORE | AFTER> pivot element`
pub struct LInsert;

/// The arguments of LINSERT.
pub struct InsertArgs<'a> {
    key: &'a [u8],
    after: bool,
    pivot: &'a [u8],
    element: &'a [u8],
}

impl Command for LInsert {
    const SPEC: Spec = Spec {
        name: "linsert",
        summary: "Adds an element to a list before or after another.",
        since: "2.2.0",
        complexity: "O(N) in the number of elements before the other.",
        syntax: "key (where: BEFORE | AFTER) pivot element",
        arity: Arity(5),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::INSERT))],
        ..super::LIST
    };

    type Args<'a> = InsertArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<InsertArgs<'a>, ReplyError> {
        Ok(InsertArgs {
            key: args.bytes()?,
            after: args.choice(&[("AFTER", true), ("BEFORE", false)])?,
            pivot: args.bytes()?,
            element: args.bytes()?,
        })
    }

    fn execute(
        args: InsertArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let rules = ctx.rules();
        let Some(mut list) = ctx.edit::<List>(args.key)? else {
            reply.int(0);
            return Ok(());
        };
        // Before the pivot is looked for, as the reference does: OBJECT ENCODING tells.
        list.expect(&[args.element], &rules);
        let is_pivot = |element: Str<'_>| element.with(|element| element == args.pivot);
        let Some(at) = list.iter().position(is_pivot) else {
            reply.int(-1);
            return Ok(());
        };
        list.insert(at + usize::from(args.after), args.element, &rules);
        reply.int(list.len() as i64);
        drop(list);
        ctx.notify(Class::List, "linsert", args.key);
        ctx.changed(1);
        Ok(())
    }
}
