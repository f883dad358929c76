//! SET: stores a string, with conditions, deadline and the old value in one step.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::Ttl;
use stoa_stdx::UnixMs;

use super::expiration::Said;
use crate::reply_string;
use crate::ttl::{Written, unsaid_ttl};

const NAME: &str = "set";

/// `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT ts | PXAT ts | KEEPTTL]`
pub struct Set;

/// The arguments of SET.
pub struct SetArgs<'a> {
    key: &'a [u8],
    value: &'a [u8],
    condition: Option<Condition>,
    get: bool,
    expiry: Expiry,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    IfAbsent,
    IfPresent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Unsaid,
    Keep,
    At(Written),
}

impl Command for Set {
    const SPEC: Spec = Spec {
        name: NAME,
        summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        syntax: "key value [condition: NX | XX] [GET] [expiration: EX seconds | PX milliseconds | \
                 EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
        arity: Arity(-3),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::String],
        keys: &[KeySpec::first(
            KeyFlags::RW
                .with(KeyFlags::ACCESS)
                .with(KeyFlags::UPDATE)
                .with(KeyFlags::VARIABLE_FLAGS),
        )],
        key_flags: Some(|args| {
            let mut words = (3..args.argc()).filter_map(|at| args.at(at));
            if words.any(|word| word.eq_ignore_ascii_case(b"get")) {
                KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE)
            } else {
                KeyFlags::OW.with(KeyFlags::UPDATE)
            }
        }),
        ..Spec::DEFAULT
    };

    type Args<'a> = SetArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetArgs<'a>, ReplyError> {
        let (key, value) = (args.bytes()?, args.bytes()?);
        let (mut condition, mut get, mut said) = (None, false, Said::Nothing);
        while args.left() > 0 {
            let wanted = if args.word("NX") {
                Condition::IfAbsent
            } else if args.word("XX") {
                Condition::IfPresent
            } else if args.word("GET") {
                get = true;
                continue;
            } else {
                said.read(args, "KEEPTTL")?;
                continue;
            };
            if condition.replace(wanted).is_some_and(|before| before != wanted) {
                return Err(ReplyError::Syntax);
            }
        }
        let expiry = match said.written(NAME)? {
            Some(written) => Expiry::At(written),
            None if said == Said::Alone => Expiry::Keep,
            None => Expiry::Unsaid,
        };
        Ok(SetArgs { key, value, condition, get, expiry })
    }

    fn execute(
        args: SetArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let ttl = match args.expiry {
            Expiry::At(written) => Ttl::At(UnixMs(written.at(ctx.now, NAME)?.max(0) as u64)),
            Expiry::Keep => Ttl::Keep,
            Expiry::Unsaid => unsaid_ttl(ctx),
        };
        let key = ctx.key(args.key);
        let looks = args.condition == Some(Condition::IfAbsent) || ttl == Ttl::Keep;
        if args.condition.is_some() || args.get || looks {
            let mut db = ctx.db();
            // A key whose deadline goes counts as used when it is overwritten.
            let old = if args.get {
                db.get(&key)
            } else if looks {
                db.get_for_write(&key)
            } else {
                db.peek(&key)
            };
            if args.get {
                reply_string(old.as_ref(), reply)?;
            }
            let goes = match args.condition {
                None => true,
                Some(Condition::IfAbsent) => old.is_none(),
                Some(Condition::IfPresent) => old.is_some(),
            };
            if !goes {
                if !args.get {
                    reply.null();
                }
                return Ok(());
            }
        }
        ctx.db().set_string(&key, args.value, ttl);
        ctx.notify(Class::String, "set", key.bytes);
        if let Ttl::At(deadline) = ttl {
            ctx.notify(Class::Generic, "expire", key.bytes);
            if deadline < ctx.now {
                // Over before it began: this look reclaims it, so that nobody counts it meanwhile.
                ctx.db().peek(&key);
            }
        }
        ctx.changed(1);
        if !args.get {
            reply.ok();
        }
        Ok(())
    }
}
