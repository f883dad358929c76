//! COPY: a key's value and deadline a second time, under another name or in another database.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

use super::database;

/// `COPY source destination [DB destination-db] [REPLACE]`
pub struct Copy;

/// The arguments of COPY.
pub struct CopyArgs<'a> {
    from: &'a [u8],
    to: &'a [u8],
    /// Each DB that was written: all must be databases, the last counts.
    databases: Vec<i32>,
    replace: bool,
    /// A word that is no option.
    wrong: bool,
}

impl Command for Copy {
    const SPEC: Spec = Spec {
        name: "copy",
        summary: "Stores the value of a key under another key, too.",
        since: "6.2.0",
        group: Group::Generic,
        complexity: "O(N) in the bytes of the value.",
        syntax: "source destination [DB destination-db:integer] [REPLACE]",
        arity: Arity(-3),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::Keyspace],
        keys: &[
            KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS)),
            KeySpec::range(2, 0, 1, KeyFlags::OW.with(KeyFlags::UPDATE)),
        ],
        ..Spec::DEFAULT
    };

    type Args<'a> = CopyArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<CopyArgs<'a>, ReplyError> {
        let (from, to) = (args.bytes()?, args.bytes()?);
        let mut copy = CopyArgs { from, to, databases: Vec::new(), replace: false, wrong: false };
        while args.left() > 0 {
            if args.word("REPLACE") {
                copy.replace = true;
            } else if args.word("DB") {
                copy.databases.push(database::number(args)?);
            } else {
                // A database that was named before it is looked at first.
                copy.wrong = true;
                args.rest();
            }
        }
        Ok(copy)
    }

    fn execute(
        args: CopyArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let here = ctx.session().db;
        let mut there = here;
        for number in &args.databases {
            there = database::index(*number, ctx)?;
        }
        if args.wrong {
            return Err(ReplyError::Syntax);
        }
        if here == there && args.from == args.to {
            return Err(database::SAME);
        }
        let (from, to) = (ctx.key(args.from), ctx.key(args.to));
        let owned = match ctx.copied() {
            // It ran before, and nobody has seen its keys since.
            Some(owned) => owned,
            None => {
                let is_there = ctx.db().get(&from).is_some();
                if !is_there || (ctx.db_at(there).get_for_write(&to).is_some() && !args.replace) {
                    reply.int(0);
                    return Ok(());
                }
                let Some(owned) = ctx.copy(&from)? else { return Ok(()) };
                owned
            }
        };
        let mut db = ctx.db_at(there);
        // Not overwritten: its successor is a new key.
        db.remove(&to);
        // The copy is as new as any, also when the original keeps its clock (CLIENT NO-TOUCH).
        db.store(&to, owned);
        ctx.notify_at(there, Class::Generic, "copy_to", to.bytes);
        ctx.changed(1);
        reply.int(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    #[test]
    fn a_copy_is_as_new_as_any_even_when_its_original_was_not_touched() {
        let mut bench = Bench::new();
        bench.run("SET a 1");
        bench.advance(7_000);
        bench.session().no_touch = true;
        assert_eq!(bench.run("COPY a b"), "(integer) 1");
        assert_eq!(bench.run("OBJECT IDLETIME a"), "(integer) 7");
        assert_eq!(bench.run("OBJECT IDLETIME b"), "(integer) 0");
        bench.session().no_touch = false;
        bench.run("COPY a c");
        assert_eq!(bench.run("OBJECT IDLETIME a"), "(integer) 0");
    }
}
