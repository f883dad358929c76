//! OBJECT: how a value is stored and when it was last used. None of it counts as a use.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_keyspace::{EntryRef, Str};

/// The container.
pub(super) const OBJECT: Spec = Spec {
    name: "object",
    summary: "Holds the commands about how values are stored.",
    since: "2.2.3",
    group: Group::Generic,
    complexity: "That of the subcommand.",
    arity: Arity(-2),
    ..Spec::DEFAULT
};

/// `OBJECT HELP`
pub(super) const HELP: Spec = Spec {
    name: "object|help",
    summary: "Prints this help.",
    since: "6.2.0",
    group: Group::Generic,
    arity: Arity(2),
    flags: Flags::LOADING.with(Flags::STALE),
    categories: &[Category::Keyspace],
    ..Spec::DEFAULT
};

/// What the other subcommands have in common.
const OF_KEY: Spec = Spec {
    since: "2.2.3",
    group: Group::Generic,
    syntax: "key",
    arity: Arity(3),
    flags: Flags::READONLY,
    categories: &[Category::Keyspace],
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO)],
    tips: &["nondeterministic_output"],
    ..Spec::DEFAULT
};

/// Integers that Redis keeps one object of for all keys, and how often it says it is used.
const SHARED_INTS: std::ops::Range<i64> = 0..10_000;
const SHARED_COUNT: i64 = i32::MAX as i64;

macro_rules! command {
    ($doc:literal, $type:ident, $answer:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = &'a [u8];

            fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
                args.bytes()
            }

            fn execute(
                key: &[u8],
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                let policy = eviction(ctx);
                let key = ctx.key(key);
                match ctx.db().quiet().get_untouched(&key) {
                    Some(entry) => $answer(&entry, policy, reply)?,
                    None => reply.null(),
                }
                Ok(())
            }
        }
    };
}

command! { "`OBJECT ENCODING key`", Encoding, encoding, Spec {
    name: "object|encoding",
    summary: "Returns how the value of a key is stored.",
    ..OF_KEY
}}

command! { "`OBJECT FREQ key`", Freq, freq, Spec {
    name: "object|freq",
    summary: "Returns how often a key is used, on a logarithmic scale.",
    since: "4.0.0",
    ..OF_KEY
}}

command! { "`OBJECT IDLETIME key`", IdleTime, idle_time, Spec {
    name: "object|idletime",
    summary: "Returns the seconds since a key was last used.",
    ..OF_KEY
}}

command! { "`OBJECT REFCOUNT key`", RefCount, ref_count, Spec {
    name: "object|refcount",
    summary: "Returns how many references the value of a key has.",
    ..OF_KEY
}}

/// What the eviction policy means here.
#[derive(Clone, Copy)]
struct Eviction {
    /// It counts uses.
    by_use: bool,
    /// Each key must have a value of its own, for its access clock.
    unshared: bool,
}

fn eviction(ctx: &Ctx<'_>) -> Eviction {
    let is_set = |name: &str| ctx.node.config.value(name).unwrap_or_default();
    let policy = is_set("maxmemory-policy");
    let by_use = policy.ends_with(b"lfu");
    Eviction {
        by_use,
        unshared: is_set("maxmemory") != b"0" && (by_use || policy.ends_with(b"lru")),
    }
}

fn encoding(entry: &EntryRef<'_>, _: Eviction, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    reply.bulk(entry.encoding().as_bytes());
    Ok(())
}

fn freq(_: &EntryRef<'_>, policy: Eviction, _: &mut dyn Reply) -> Result<(), ReplyError> {
    Err(ReplyError::Text(if policy.by_use {
        "ERR access frequencies are not counted by this version. OBJECT IDLETIME tells when a key was last used."
    } else {
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
         when switching between policies at runtime LRU and LFU data will take some time to adjust."
    }))
}

fn idle_time(entry: &EntryRef<'_>, _: Eviction, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    reply.int(entry.idle_s() as i64);
    Ok(())
}

fn ref_count(
    entry: &EntryRef<'_>,
    policy: Eviction,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let shared = !policy.unshared
        && matches!(entry.string(), Ok(Str::Int(value)) if SHARED_INTS.contains(&value));
    reply.int(if shared { SHARED_COUNT } else { 1 });
    Ok(())
}
