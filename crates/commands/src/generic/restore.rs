//! RESTORE: makes a key of what DUMP gave, here or on a Redis up to 7.4.
//!
//! A payload is a stranger's: it is read in full before anything is touched, so a damaged one changes
//! nothing.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply, restored};
use stoa_keyspace::{Access, Owned};
use stoa_rdb::Refusal;
use stoa_stdx::UnixMs;

/// `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
pub struct Restore;

/// The same, as the nodes of a cluster say it to a node that is taking over a slot.
pub struct RestoreAsking;

const NO_TTL: ReplyError = ReplyError::Text("ERR Invalid TTL value, must be >= 0");
const NO_IDLE_TIME: ReplyError = ReplyError::Text("ERR Invalid IDLETIME value, must be >= 0");
const NO_FREQUENCY: ReplyError =
    ReplyError::Text("ERR Invalid FREQ value, must be >= 0 and <= 255");
const BUSY: ReplyError = ReplyError::Text("BUSYKEY Target key name already exists.");
const BAD_FOOTER: ReplyError = ReplyError::Text("ERR DUMP payload version or checksum are wrong");
const BAD_CONTENT: ReplyError = ReplyError::Text("ERR Bad data format");

/// The arguments of RESTORE.
pub struct RestoreArgs<'a> {
    key: &'a [u8],
    /// Judged after it is known that the key is free.
    ttl: Result<i64, ReplyError>,
    payload: &'a [u8],
    replace: bool,
    is_absolute: bool,
    access: Option<Access>,
}

const SPEC: Spec = Spec {
    name: "restore",
    summary: "Makes a key of what DUMP gave.",
    since: "2.6.0",
    group: Group::Generic,
    complexity: "O(N) in the bytes of the payload; O(N*log(N)) for a sorted set.",
    syntax: "key ttl:integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds:integer] \
             [FREQ frequency:integer]",
    arity: Arity(-4),
    flags: Flags::WRITE.with(Flags::DENYOOM),
    categories: &[Category::Keyspace, Category::Dangerous],
    keys: &[KeySpec::first(KeyFlags::OW.with(KeyFlags::UPDATE))],
    ..Spec::DEFAULT
};

macro_rules! command {
    ($type:ident, $spec:expr) => {
        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = RestoreArgs<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<RestoreArgs<'a>, ReplyError> {
                parse(args)
            }

            fn execute(
                args: RestoreArgs<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                restore(args, ctx)?;
                reply.ok();
                Ok(())
            }
        }
    };
}

command! { Restore, SPEC }

command! { RestoreAsking, Spec {
    name: "restore-asking",
    summary: "Is how nodes of a cluster say RESTORE.",
    since: "3.0.0",
    group: Group::Server,
    flags: SPEC.flags.with(Flags::ASKING),
    ..SPEC
}}

fn parse<'a>(args: &mut Args<'a>) -> Result<RestoreArgs<'a>, ReplyError> {
    let (key, ttl, payload) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let (mut replace, mut is_absolute) = (false, false);
    let mut access = None;
    while args.left() > 0 {
        if args.word("REPLACE") {
            replace = true;
        } else if args.word("ABSTTL") {
            is_absolute = true;
        } else if args.left() > 1
            && !matches!(access, Some(Access::Frequency(_)))
            && args.word("IDLETIME")
        {
            let idle_s = u64::try_from(args.int()?).map_err(|_| NO_IDLE_TIME)?;
            access = Some(Access::IdleS(idle_s));
        } else if args.left() > 1 && !matches!(access, Some(Access::IdleS(_))) && args.word("FREQ")
        {
            let frequency = u8::try_from(args.int()?).map_err(|_| NO_FREQUENCY)?;
            access = Some(Access::Frequency(frequency));
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let ttl = stoa_command::parse_int(ttl).ok_or(ReplyError::NotInteger);
    let ttl = ttl.and_then(|ttl| if ttl < 0 { Err(NO_TTL) } else { Ok(ttl) });
    Ok(RestoreArgs { key, ttl, payload, replace, is_absolute, access })
}

fn restore(args: RestoreArgs<'_>, ctx: &mut Ctx<'_>) -> Result<(), ReplyError> {
    let (now, rules) = (ctx.now, ctx.rules());
    let key = ctx.key(args.key);
    if !args.replace && ctx.db().get_for_write(&key).is_some() {
        return Err(BUSY);
    }
    let ttl = args.ttl?;
    let loaded = stoa_rdb::restore(args.payload, ctx.node.checks_payload_sums, &rules);
    let loaded = loaded.map_err(|refusal| match refusal {
        Refusal::Footer => BAD_FOOTER,
        Refusal::Content(_) => BAD_CONTENT,
    })?;
    let is_replaced = args.replace && ctx.db().remove(&key);
    // Too far to be counted wraps around into the past, as in Redis.
    let deadline_ms = if args.is_absolute { ttl } else { ttl.wrapping_add(now.0 as i64) };
    if ttl != 0 && deadline_ms <= now.0 as i64 {
        if is_replaced {
            ctx.notify(Class::Generic, "del", key.bytes);
            ctx.changed(1);
        }
        return Ok(());
    }
    let deadline = (ttl != 0).then_some(UnixMs(deadline_ms as u64));
    let mut db = ctx.db();
    db.store(&key, Owned { value: restored(loaded), deadline, clock: 0 });
    if let Some(access) = args.access {
        db.set_access(&key, access);
    }
    ctx.notify(Class::Generic, "restore", key.bytes);
    ctx.changed(1);
    Ok(())
}
