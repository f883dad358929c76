//! RENAME and RENAMENX: a key's value and deadline under another name.
//!
//! The new name takes over whole: whatever it held goes, its deadline too.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

/// `RENAME key newkey`
pub struct Rename;

/// `RENAMENX key newkey`
pub struct RenameNx;

/// The arguments of both.
pub struct RenameArgs<'a> {
    from: &'a [u8],
    to: &'a [u8],
}

const SOURCE: KeySpec = KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE));

const RENAME: Spec = Spec {
    name: "rename",
    summary: "Gives a key another name, in place of whatever had that name.",
    group: Group::Generic,
    syntax: "key newkey",
    arity: Arity(3),
    flags: Flags::WRITE,
    categories: &[Category::Keyspace],
    keys: &[SOURCE, KeySpec::range(2, 0, 1, KeyFlags::OW.with(KeyFlags::UPDATE))],
    ..Spec::DEFAULT
};

impl Command for Rename {
    const SPEC: Spec = RENAME;

    type Args<'a> = RenameArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RenameArgs<'a>, ReplyError> {
        Ok(RenameArgs { from: args.bytes()?, to: args.bytes()? })
    }

    fn execute(
        args: RenameArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        rename(&args, false, ctx)?;
        reply.ok();
        Ok(())
    }
}

impl Command for RenameNx {
    const SPEC: Spec = Spec {
        name: "renamenx",
        summary: "Gives a key another name unless a key has that name.",
        flags: Flags::WRITE.with(Flags::FAST),
        keys: &[SOURCE, KeySpec::range(2, 0, 1, KeyFlags::OW.with(KeyFlags::INSERT))],
        ..RENAME
    };

    type Args<'a> = RenameArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RenameArgs<'a>, ReplyError> {
        Rename::parse(args)
    }

    fn execute(
        args: RenameArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        reply.int(rename(&args, true, ctx)?.into());
        Ok(())
    }
}

/// True when the key has the new name now and had another one before.
fn rename(args: &RenameArgs<'_>, if_absent: bool, ctx: &mut Ctx<'_>) -> Result<bool, ReplyError> {
    let (from, to) = (ctx.key(args.from), ctx.key(args.to));
    let mut db = ctx.db();
    if db.get_for_write(&from).is_none() {
        return Err(ReplyError::NoSuchKey);
    }
    if args.from == args.to || if_absent && db.get_for_write(&to).is_some() {
        return Ok(false);
    }
    let owned = db.take(&from).expect("found above");
    // Not overwritten: its successor is a new key.
    db.remove(&to);
    db.store(&to, owned);
    ctx.notify(Class::Generic, "rename_from", from.bytes);
    ctx.notify(Class::Generic, "rename_to", to.bytes);
    ctx.changed(1);
    Ok(true)
}
