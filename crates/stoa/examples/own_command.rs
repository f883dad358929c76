//! A command of your own, beside the server's: one type, one description, two functions.
//!
//! This file uses nothing but `stoa`, as a program outside this tree would. From the description alone
//! come the routing to the shard of the key, the arity error, COMMAND's replies and its help. Run it
//! with `cargo run -p stoa --example own_command`.

use std::sync::LazyLock;

use stoa::command::{
    Args, Arity, Category, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Reply, ReplyError, Spec,
    Table, Ttl, entry, table_with,
};

/// `MAXTO key number`: raises an integer to a number unless it is as large already.
struct MaxTo;

impl Command for MaxTo {
    const SPEC: Spec = Spec {
        name: "maxto",
        summary: "Raises an integer to a number unless it is as large; a missing key counts as 0.",
        group: Group::String,
        syntax: "key number:integer",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = (&'a [u8], i64);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.int()?))
    }

    fn execute(
        (key, number): Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        let mut db = ctx.db();
        let old = match db.get_for_write(&key) {
            None => 0,
            Some(entry) => {
                let text = entry.string().map_err(|_| ReplyError::WrongType)?;
                text.with(stoa::command::parse_int).ok_or(ReplyError::NotInteger)?
            }
        };
        if number > old {
            db.set_int(&key, number, Ttl::Keep);
            ctx.changed(1);
        }
        reply.int(old.max(number));
        Ok(())
    }
}

/// The server's commands and ours.
static TABLE: LazyLock<Table> = LazyLock::new(|| table_with(&[entry::<MaxTo>()]));

fn main() -> Result<(), stoa::Error> {
    let db = stoa::Db::builder().table(&TABLE).open_memory()?;
    for number in ["3", "10", "7"] {
        let highest = db.execute(&[b"MAXTO", b"score", number.as_bytes()])?;
        println!("MAXTO score {number}: {highest:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stoa::{Db, Error, Reply};

    use super::TABLE;

    fn db(shards: u16) -> Db {
        Db::builder().table(&TABLE).shards(shards).seed(1).open_memory().expect("it opens")
    }

    #[test]
    fn it_does_what_it_says_on_whatever_shard_the_key_is() -> Result<(), Error> {
        for shards in [1, 5] {
            let db = db(shards);
            for key in (0..20).map(|n| format!("key:{n}").into_bytes()) {
                let raise = |number: &[u8]| db.execute(&[b"maxto", &key, number]);
                assert_eq!(raise(b"3")?, Reply::Int(3), "{shards} shards");
                assert_eq!(raise(b"10")?, Reply::Int(10), "{shards} shards");
                assert_eq!(raise(b"7")?, Reply::Int(10), "{shards} shards");
                assert_eq!(db.get(&key)?, Some(b"10".to_vec()), "the server's own commands see it");
            }
        }
        Ok(())
    }

    #[test]
    fn what_it_does_not_say_itself_is_read_off_its_description() -> Result<(), Error> {
        let db = db(3);
        let error = db.execute(&[b"MAXTO", b"k"]).expect_err("too short").to_string();
        assert_eq!(error, "ERR wrong number of arguments for 'maxto' command");
        let keys = db.execute(&[b"COMMAND", b"GETKEYS", b"MAXTO", b"k", b"1"])?;
        assert_eq!(keys, Reply::Array(vec![Reply::Bulk(b"k".to_vec())]));
        let count = |db: &Db| db.execute(&[b"COMMAND", b"COUNT"]);
        let Reply::Int(without) = count(&Db::open_memory()?)? else { panic!("a number") };
        assert_eq!(count(&db)?, Reply::Int(without + 1), "other databases do not have it");
        Ok(())
    }
}
