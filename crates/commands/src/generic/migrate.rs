//! MIGRATE: keys to another server, and away from here once they are there.
//!
//! It runs twice. The first time it says which keys are there, and its shard sends what they hold while
//! nobody sees or changes them. When the other server has answered for each, it runs again and removes
//! those that were taken.

use stoa_command::{
    Args, Arity, BeginSearch, Category, FindKeys, Flags, Group, KeyFlags, KeyPositions, KeySpec,
    ReplyError, Spec,
};
use stoa_engine::{Class, Command, Ctx, Migrated, Migration, Reply, Target};

/// `MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password]
/// [AUTH2 username password] [KEYS key [key ...]]`
pub struct Migrate;

/// How long the other server may take when nobody says how long, milliseconds.
const TIMEOUT_MS: u64 = 1_000;
/// Where options begin.
const OPTIONS_AT: usize = 6;
/// Where the one key is.
const KEY_AT: usize = 3;

const NOT_EMPTY: ReplyError = ReplyError::Text(
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
);
const NO_WAITING: ReplyError = ReplyError::Text(
    "ERR MIGRATE waits for another server, which nothing inside MULTI or a script can do; send it \
     by itself, for several keys with KEYS",
);

/// The arguments of MIGRATE.
pub struct MigrateArgs<'a> {
    host: &'a [u8],
    port: &'a [u8],
    db: i64,
    timeout_ms: u64,
    copies: bool,
    replaces: bool,
    /// A password, or a name and a password.
    auth: Vec<&'a [u8]>,
    keys: Vec<&'a [u8]>,
}

const RW: KeyFlags = KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE);

impl Command for Migrate {
    const SPEC: Spec = Spec {
        name: "migrate",
        summary: "Moves keys to another server.",
        since: "2.6.0",
        group: Group::Generic,
        complexity: "O(N) in the bytes of the values, here and there; the way between not counted.",
        syntax: "host port:integer (key-or-empty-string: key | \"\") destination-db:integer \
                 timeout:integer [COPY] [REPLACE] [authentication: AUTH password | \
                 AUTH2 username password] [KEYS key...]",
        arity: Arity(-6),
        flags: Flags::WRITE.with(Flags::MOVABLE_KEYS),
        categories: &[Category::Keyspace, Category::Dangerous],
        keys: &[
            KeySpec::range(KEY_AT, 0, 1, RW),
            KeySpec {
                begin: BeginSearch::Keyword("KEYS", -2),
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                flags: RW.with(KeyFlags::INCOMPLETE),
            },
        ],
        more_keys: Some(keys),
        tips: &["nondeterministic_output"],
        ..Spec::DEFAULT
    };

    type Args<'a> = MigrateArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<MigrateArgs<'a>, ReplyError> {
        let (host, port, key) = (args.bytes()?, args.bytes()?, args.bytes()?);
        let (db, timeout) = (args.bytes()?, args.bytes()?);
        let (mut copies, mut replaces) = (false, false);
        let mut auth = Vec::new();
        let mut keys = vec![key];
        while args.left() > 0 {
            if args.word("COPY") {
                copies = true;
            } else if args.word("REPLACE") {
                replaces = true;
            } else if args.word("AUTH") {
                auth = vec![args.bytes()?];
            } else if args.word("AUTH2") {
                auth = vec![args.bytes()?, args.bytes()?];
            } else if args.word("KEYS") {
                if !key.is_empty() {
                    return Err(NOT_EMPTY);
                }
                keys = args.rest().to_vec();
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        let int = |word| stoa_command::parse_int(word).ok_or(ReplyError::NotInteger);
        let timeout_ms = u64::try_from(int(timeout)?).unwrap_or(0);
        let timeout_ms = if timeout_ms == 0 { TIMEOUT_MS } else { timeout_ms };
        let db = int(db)?;
        Ok(MigrateArgs { host, port, db, timeout_ms, copies, replaces, auth, keys })
    }

    fn execute(
        args: MigrateArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if let Some(migrated) = ctx.migrated() {
            // It ran before, and nobody has seen its keys since.
            finish(&migrated, args.copies, ctx, reply);
            return Ok(());
        }
        let mut there = args.keys.clone();
        there.retain(|key| {
            let key = ctx.key(key);
            ctx.db().get(&key).is_some()
        });
        if there.is_empty() {
            reply.simple("NOKEY");
            return Ok(());
        }
        if !ctx.may_migrate() {
            return Err(NO_WAITING);
        }
        let migration = Migration {
            target: target(args.host, args.port),
            timeout_ms: args.timeout_ms,
            auth: args.auth.iter().map(|word| word.to_vec()).collect(),
            db: args.db,
            replaces: args.replaces,
            from: ctx.session().db,
            keys: there.into_iter().map(|key| (key.to_vec(), ttl_ms(key, ctx))).collect(),
        };
        ctx.migrate(migration);
        Ok(())
    }
}

/// The key in its place, or those behind KEYS: the key specs alone would take an empty string for one,
/// and a password for the word.
fn keys(args: &Args<'_>, into: &mut KeyPositions) {
    let mut at = OPTIONS_AT;
    let is = |at: usize, name: &str| {
        args.at(at).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let is_one = args.at(KEY_AT).is_some_and(|key| !key.is_empty());
    while at < args.argc() && !is(at, "KEYS") {
        at += if is(at, "AUTH2") {
            3
        } else if is(at, "AUTH") {
            2
        } else {
            1
        };
    }
    into.clear();
    if is_one || at >= args.argc() {
        into.push(KEY_AT, RW);
    } else {
        (at + 1..args.argc()).for_each(|at| into.push(at, RW));
    }
}

/// What is no port or no name leads nowhere, which is found out on the way.
fn target(host: &[u8], port: &[u8]) -> Target {
    let digits = port.iter().take_while(|byte| byte.is_ascii_digit());
    let port = digits
        .fold(0_u32, |sum, byte| sum.saturating_mul(10).saturating_add(u32::from(byte - b'0')));
    let host = String::from_utf8_lossy(host).into_owned();
    Target { host, port: u16::try_from(port).unwrap_or(0) }
}

/// Zero says that it lives for ever.
fn ttl_ms(key: &[u8], ctx: &mut Ctx<'_>) -> u64 {
    let (now, key) = (ctx.now, ctx.key(key));
    let deadline = ctx.db().peek(&key).and_then(|entry| entry.deadline());
    deadline.map_or(0, |at| at.0.saturating_sub(now.0).max(1))
}

/// Removes what the other server has, and answers.
fn finish(migrated: &Migrated, copies: bool, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) {
    if !copies {
        for key in &migrated.taken {
            let key = ctx.key(key);
            if ctx.db().remove(&key) {
                ctx.notify(Class::Generic, "del", key.bytes);
                ctx.changed(1);
            }
        }
    }
    match &migrated.error {
        Some(error) => reply.error_words(&[error]),
        None => reply.ok(),
    }
}
