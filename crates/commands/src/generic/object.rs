//! OBJECT: how a value is stored and when it was last used. None of it counts as a use.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::Remembers;
use stoa_engine::{Command, Ctx, Reply};
use stoa_keyspace::{Counting, EntryRef, Str};

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

const NOT_COUNTED: ReplyError = ReplyError::Text(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
     when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
const NOT_TIMED: ReplyError = ReplyError::Text(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

/// What the eviction policy means here.
#[derive(Clone, Copy)]
struct Eviction {
    /// It counts uses.
    counting: Option<Counting>,
    /// Each key must have a value of its own, for its access clock.
    unshared: bool,
}

fn eviction(ctx: &Ctx<'_>) -> Eviction {
    let config = &ctx.node.config;
    Eviction {
        counting: ctx.keyspace.counting,
        unshared: config.maxmemory > 0 && config.remembers != Remembers::Nothing,
    }
}

fn encoding(entry: &EntryRef<'_>, _: Eviction, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    reply.bulk(entry.encoding().as_bytes());
    Ok(())
}

fn freq(entry: &EntryRef<'_>, policy: Eviction, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let counting = policy.counting.ok_or(NOT_COUNTED)?;
    reply.int(entry.frequency(counting).into());
    Ok(())
}

fn idle_time(
    entry: &EntryRef<'_>,
    policy: Eviction,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    if policy.counting.is_some() {
        return Err(NOT_TIMED);
    }
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

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    /// What Redis 7.4.1 says of `k` after these, with `lfu-log-factor 0`: each use counts.
    const USES: &[(u8, &[&str])] = &[
        (
            5,
            &[
                "SET k v1",
                "SET k v1; TTL k",
                "SET k v1; EXISTS k",
                "SET k v1; TYPE k",
                "HSET k a 1",
                "RPUSH k a",
                "SADD s a; SUNIONSTORE k s",
                "PFADD k a",
                "XADD k 1-1 a b",
                "SET a v1; GET a; GET a; RENAME a k",
                "SET a v1; GET a; GET a; COPY a k",
                "SET k v1; OBJECT ENCODING k",
                "SET k v1; GETDEL k; SET k v1",
                "SET k v1; WATCH k; UNWATCH",
            ],
        ),
        (
            6,
            &[
                "SET k v1; GET k",
                "SET k v1; SET k v2",
                "SET k 50000; INCR k",
                "SET k 5.5; INCRBYFLOAT k 1",
                "SET k v1; SET k v2 KEEPTTL",
                "SET k v1; SETEX k 100 v",
                "SET k v1; MSET k 2",
                "SET k v1; APPEND k 2",
                "SET k abc; SETRANGE k 1 x",
                "SET k abc; SETBIT k 1 1",
                "SET k v1; EXPIRE k 100",
                "SET k v1; TOUCH k",
                "SET k v1; STRLEN k",
                "SET k v1; GETEX k EX 100",
                "SET k v1; PERSIST k",
                "SET k v1 EX 100; PERSIST k",
                "HSET k a 1; HSET k a 2",
                "HSET k a 1; HGET k a",
                "RPUSH k a; RPUSH k b",
                "RPUSH k a b; LPOP k",
                "SADD k a; SADD k b",
                "SADD k a; SMEMBERS k",
                "SADD s a; SADD k b; SINTERSTORE k s",
                "ZADD k 1 a; ZINCRBY k 1 a",
                "ZADD z 1 a; ZADD k 1 b; ZUNIONSTORE k 1 z",
                "ZADD z 1 a; ZADD k 1 b; ZRANGESTORE k z 0 -1",
                "PFADD k a; PFADD k b",
                "SET a v1; SET k v2; BITOP NOT k a",
                "XADD k 1-1 a b; XADD k 1-2 a b",
                "SET k v1; SETNX k 2",
                "SET k v1; SUBSTR k 0 1",
                "RPUSH l 3 1; RPUSH k a; SORT l STORE k",
                "GEOADD k 1 1 a; GEOPOS k a",
                "GEOADD g 1 1 a; GEOADD k 1 1 a; GEOSEARCHSTORE k g FROMLONLAT 1 1 BYRADIUS 1 m",
                "SET k v1; BITCOUNT k",
                "SET k v1; BITFIELD k SET u8 0 1",
                "RPUSH a x; RPUSH k y; LMOVE a k LEFT LEFT",
                "SADD a x; SADD k y; SMOVE a k x",
                "SADD k y; SSCAN k 0",
                "SADD k y; SCARD k",
            ],
        ),
        (
            7,
            &[
                "SET k v1; GETSET k v2",
                "SET k v1; SET k v2 GET",
                "PFADD a a; PFADD k b; PFMERGE k a",
                "SET k v1; MGET k k",
                "SET k v1; LCS k k",
            ],
        ),
        (8, &["SET k v1; GET k; GET k; DUMP k"]),
    ];

    #[test]
    fn each_command_counts_as_many_uses_as_in_redis() {
        let mut bench = Bench::new();
        bench.config("maxmemory-policy", "allkeys-lfu");
        bench.config("lfu-log-factor", "0");
        let mut wrong = Vec::new();
        for (want, programs) in USES {
            for program in *programs {
                bench.run("FLUSHALL");
                for line in program.split("; ") {
                    assert!(!bench.run(line).starts_with("(error)"), "{line}");
                }
                let said = bench.run("OBJECT FREQ k");
                if said != format!("(integer) {want}") {
                    wrong.push(format!("{program}: {said}, not {want}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
