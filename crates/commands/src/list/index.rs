//! LINDEX and LSET: one element by its place.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::List;

use super::place;

/// `LINDEX key index`
pub struct LIndex;

/// `LSET key index element`
pub struct LSet;

/// The arguments of LINDEX.
pub struct IndexArgs<'a> {
    key: &'a [u8],
    /// Judged after the key's type.
    index: Result<i64, ReplyError>,
}

impl Command for LIndex {
    const SPEC: Spec = Spec {
        name: "lindex",
        summary: "Returns an element of a list by its place.",
        complexity: "O(N) in the blocks of elements before it, from the nearer end.",
        syntax: "key index",
        arity: Arity(3),
        flags: Flags::READONLY,
        ..super::LIST
    };

    type Args<'a> = IndexArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<IndexArgs<'a>, ReplyError> {
        Ok(IndexArgs { key: args.bytes()?, index: args.int() })
    }

    fn execute(
        args: IndexArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let Some(list) = ctx.read::<List>(args.key)? else {
            reply.null();
            return Ok(());
        };
        match place::element(args.index?, list.len()).and_then(|index| list.get(index)) {
            Some(element) => element.with(|element| reply.bulk(element)),
            None => reply.null(),
        }
        Ok(())
    }
}

impl Command for LSet {
    const SPEC: Spec = Spec {
        name: "lset",
        summary: "Puts another element in a place of a list.",
        complexity: "O(N) in the blocks of elements before it, from the nearer end.",
        syntax: "key index element",
        arity: Arity(4),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
        ..super::LIST
    };

    type Args<'a> = (IndexArgs<'a>, &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((LIndex::parse(args)?, args.bytes()?))
    }

    fn execute(
        (args, element): (IndexArgs<'_>, &[u8]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let rules = ctx.rules();
        let mut list = ctx.edit::<List>(args.key)?.ok_or(ReplyError::NoSuchKey)?;
        // Before the index is judged, as the reference does: OBJECT ENCODING tells.
        list.expect(&[element], &rules);
        let index = args.index?;
        let index = place::element(index, list.len()).ok_or(ReplyError::IndexOutOfRange)?;
        list.set(index, element, &rules);
        list.settle(&rules);
        drop(list);
        ctx.notify(Class::List, "lset", args.key);
        ctx.changed(1);
        reply.ok();
        Ok(())
    }
}
