//! MOVE: a key's value and deadline to another database, under the same name. (`move` is a word of the
//! language, hence the file's name.)

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

use super::database;

/// `MOVE key db`
pub struct Move;

/// The arguments of MOVE.
pub struct MoveArgs<'a> {
    key: &'a [u8],
    database: i32,
}

impl Command for Move {
    const SPEC: Spec = Spec {
        name: "move",
        summary: "Takes a key to another database.",
        group: Group::Generic,
        syntax: "key db:integer",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::FAST),
        categories: &[Category::Keyspace],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = MoveArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<MoveArgs<'a>, ReplyError> {
        Ok(MoveArgs { key: args.bytes()?, database: database::number(args)? })
    }

    fn execute(
        args: MoveArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let there = database::index(args.database, ctx)?;
        if there == ctx.session().db {
            return Err(database::SAME);
        }
        let key = ctx.key(args.key);
        let goes = ctx.db().get_for_write(&key).is_some()
            && ctx.db_at(there).get_for_write(&key).is_none();
        if goes {
            let owned = ctx.db().take(&key).expect("found above");
            ctx.db_at(there).store(&key, owned);
            ctx.notify(Class::Generic, "move_from", key.bytes);
            ctx.notify_at(there, Class::Generic, "move_to", key.bytes);
            ctx.changed(1);
        }
        reply.int(goes.into());
        Ok(())
    }
}
