//! XGROUP: groups and their consumers come and go.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::{Group as ConsumerGroup, Stream, StreamId};

use super::id;
use crate::define::define;

/// `XGROUP`
pub const CONTAINER: Spec = Spec {
    name: "xgroup",
    summary: "Holds the commands for consumer groups.",
    since: "5.0.0",
    group: Group::Stream,
    complexity: "Depends on the subcommand.",
    arity: Arity(-2),
    ..Spec::DEFAULT
};

/// `XGROUP HELP`
pub const HELP: Spec = Spec {
    name: "xgroup|help",
    summary: "Lists the subcommands.",
    arity: Arity(2),
    flags: Flags::LOADING.with(Flags::STALE),
    categories: &[Category::Stream],
    complexity: "O(1)",
    ..CONTAINER
};

const fn on(flags: KeyFlags) -> KeySpec {
    KeySpec::range(2, 0, 1, KeyFlags::RW.with(flags))
}

const SPEC: Spec =
    Spec { flags: Flags::WRITE, categories: &[Category::Stream], complexity: "O(1)", ..CONTAINER };

define! { "`XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]`",
Create, GroupArgs, |args| parse(args, true), create, Spec {
    name: "xgroup|create",
    summary: "Makes a group that reads from an id on.",
    syntax: "key group (id-selector: id | $:string) [MKSTREAM] [ENTRIESREAD entries-read:integer]",
    arity: Arity(-5),
    flags: Flags::WRITE.with(Flags::DENYOOM),
    keys: &[on(KeyFlags::INSERT)],
    ..SPEC
}}

define! { "`XGROUP SETID key group id | $ [ENTRIESREAD entries-read]`",
SetId, GroupArgs, |args| parse(args, false), set_id, Spec {
    name: "xgroup|setid",
    summary: "Sets the id that a group has read up to.",
    syntax: "key group (id-selector: id | $:string) [ENTRIESREAD entries-read:integer]",
    arity: Arity(-5),
    keys: &[on(KeyFlags::UPDATE)],
    ..SPEC
}}

define! { "`XGROUP DESTROY key group`", Destroy, NameArgs, parse_name, destroy, Spec {
    name: "xgroup|destroy",
    summary: "Removes a group.",
    complexity: "O(N), N entries delivered and not acknowledged.",
    syntax: "key group",
    arity: Arity(4),
    keys: &[on(KeyFlags::DELETE)],
    ..SPEC
}}

define! { "`XGROUP CREATECONSUMER key group consumer`",
CreateConsumer, NameArgs, parse_name, create_consumer, Spec {
    name: "xgroup|createconsumer",
    summary: "Makes a consumer of a group.",
    since: "6.2.0",
    syntax: "key group consumer",
    arity: Arity(5),
    flags: Flags::WRITE.with(Flags::DENYOOM),
    keys: &[on(KeyFlags::INSERT)],
    ..SPEC
}}

define! { "`XGROUP DELCONSUMER key group consumer`",
DelConsumer, NameArgs, parse_name, delete_consumer, Spec {
    name: "xgroup|delconsumer",
    summary: "Removes a consumer of a group with all that it has not acknowledged.",
    syntax: "key group consumer",
    arity: Arity(5),
    keys: &[on(KeyFlags::DELETE)],
    ..SPEC
}}

const NO_KEY: ReplyError = ReplyError::Text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
     the MKSTREAM option to create an empty stream automatically.",
);

/// The arguments of CREATE and SETID.
pub struct GroupArgs<'a> {
    key: &'a [u8],
    group: &'a [u8],
    id: &'a [u8],
    make_stream: bool,
    entries_read: Option<u64>,
    /// The subcommand as it was written, when an option is none of it.
    wrong: Option<&'a [u8]>,
    /// The same when options come twice, which is told only where there is such a key and group.
    repeats: Option<&'a [u8]>,
}

/// A group, and a consumer for those that have one.
pub struct NameArgs<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
}

fn parse<'a>(args: &mut Args<'a>, is_create: bool) -> Result<GroupArgs<'a>, ReplyError> {
    let (key, group, id) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let (mut make_stream, mut entries_read, mut wrong) = (false, None, None);
    let most = if is_create { 3 } else { 2 };
    let repeats = if args.left() > most { args.at(1) } else { None };
    while args.left() > 0 {
        if is_create && args.word("MKSTREAM") {
            make_stream = true;
        } else if args.left() > 1 && args.word("ENTRIESREAD") {
            let count = args.int()?;
            if count < -1 {
                return Err(ReplyError::Text("ERR value for ENTRIESREAD must be positive or -1"));
            }
            entries_read = u64::try_from(count).ok();
        } else {
            wrong = args.at(1);
            break;
        }
    }
    Ok(GroupArgs { key, group, id, make_stream, entries_read, wrong, repeats })
}

fn parse_name<'a>(args: &mut Args<'a>) -> Result<NameArgs<'a>, ReplyError> {
    let (key, group) = (args.bytes()?, args.bytes()?);
    Ok(NameArgs { key, group, consumer: args.bytes().unwrap_or_default() })
}

/// `$` is the last id of the stream.
fn parse_id(text: &[u8], stream: Option<&Stream>) -> Result<StreamId, ReplyError> {
    match text {
        b"$" => Ok(stream.map_or(StreamId::MIN, Stream::last_id)),
        _ => id::parse(text, 0),
    }
}

fn reply_no_group(key: &[u8], group: &[u8], reply: &mut dyn Reply) {
    let text: [&[u8]; 5] =
        [b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"];
    reply.error_words(&text);
}

/// Refuses an option that is none. True when it did.
fn refused(wrong: Option<&[u8]>, reply: &mut dyn Reply) -> bool {
    let Some(word) = wrong else { return false };
    let word = &word[..word.len().min(128)];
    let after = "'. Try XGROUP HELP.";
    reply.error_echo("ERR unknown subcommand or wrong number of arguments for '", word, after);
    true
}

fn create(args: GroupArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    if refused(args.wrong, reply) {
        return Ok(());
    }
    let stream = ctx.read::<Stream>(args.key)?;
    if stream.is_none() && !args.make_stream {
        return Err(NO_KEY);
    }
    if refused(args.repeats, reply) {
        return Ok(());
    }
    let last_id = parse_id(args.id, stream)?;
    if stream.is_some_and(|stream| stream.groups().contains_key(args.group)) {
        return Err(ReplyError::Text("BUSYGROUP Consumer Group name already exists"));
    }
    ctx.edit_or_new::<Stream>(args.key)?
        .put_group(args.group, ConsumerGroup::new(last_id, args.entries_read));
    ctx.notify(Class::Stream, "xgroup-create", args.key);
    ctx.changed(1);
    reply.ok();
    Ok(())
}

fn set_id(args: GroupArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    if refused(args.wrong, reply) {
        return Ok(());
    }
    let mut stream = ctx.edit::<Stream>(args.key)?.ok_or(NO_KEY)?;
    if !stream.groups().contains_key(args.group) {
        reply_no_group(args.key, args.group, reply);
        return Ok(());
    }
    if refused(args.repeats, reply) {
        return Ok(());
    }
    let last_id = match args.id {
        // Here, and not in CREATE, the ends may be written as in a range.
        b"-" => StreamId::MIN,
        b"+" => StreamId::MAX,
        id => parse_id(id, Some(&stream))?,
    };
    let group = stream.groups_mut().get_mut(args.group).expect("looked up above");
    group.last_id = last_id;
    group.entries_read = args.entries_read;
    drop(stream);
    ctx.notify(Class::Stream, "xgroup-setid", args.key);
    ctx.changed(1);
    reply.ok();
    Ok(())
}

fn destroy(args: NameArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let was = ctx.edit::<Stream>(args.key)?.ok_or(NO_KEY)?.take_group(args.group).is_some();
    if was {
        ctx.notify(Class::Stream, "xgroup-destroy", args.key);
        ctx.changed(1);
    }
    reply.int(was.into());
    Ok(())
}

fn create_consumer(
    args: NameArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let now_ms = ctx.now.0;
    let mut stream = ctx.edit::<Stream>(args.key)?.ok_or(NO_KEY)?;
    let Some(group) = stream.groups_mut().get_mut(args.group) else {
        reply_no_group(args.key, args.group, reply);
        return Ok(());
    };
    let is_new = group.add(args.consumer, now_ms).is_some();
    drop(stream);
    if is_new {
        ctx.notify(Class::Stream, "xgroup-createconsumer", args.key);
        ctx.changed(1);
    }
    reply.int(is_new.into());
    Ok(())
}

fn delete_consumer(
    args: NameArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let mut stream = ctx.edit::<Stream>(args.key)?.ok_or(NO_KEY)?;
    let Some(group) = stream.groups_mut().get_mut(args.group) else {
        reply_no_group(args.key, args.group, reply);
        return Ok(());
    };
    let pending = ConsumerGroup::remove(group, args.consumer);
    drop(stream);
    if pending.is_some() {
        ctx.notify(Class::Stream, "xgroup-delconsumer", args.key);
        ctx.changed(1);
    }
    reply.int(pending.unwrap_or(0) as i64);
    Ok(())
}
