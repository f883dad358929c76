//! The number of shards never shows in a reply: one program, run on several nodes, compared.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stoa_command::{Flags, Spec};
use stoa_resp::Value;
use stoa_stdx::Rng;

use crate::program::{LAST_CURSOR, quoted};
use crate::{Grammar, Item, Options, Program, World, shrink};

/// The numbers of shards that are compared with one.
pub const SHARDS: [u16; 7] = [2, 3, 5, 7, 8, 13, 16];

/// Commands whose replies may differ from node to node, and why. All others must agree, also those
/// that the published tips call nondeterministic for reasons of time: here time is the same.
const APART: &[(&str, &str)] = &[
    ("randomkey", "chance is each shard's own"),
    ("spop", "chance is each shard's own"),
    ("srandmember", "chance is each shard's own"),
    ("hrandfield", "chance is each shard's own"),
    ("zrandmember", "chance is each shard's own"),
    ("lolwut", "draws by chance"),
    ("info", "tells of shards"),
    ("hello", "tells the client's id"),
    ("client|id", "ids grow by the number of shards"),
    ("client|list", "tells ids"),
    ("client|info", "tells ids"),
    ("client|kill", "takes ids"),
    ("client|unblock", "takes ids"),
    ("client|pause", "waits for time, which stands still during a call"),
    ("client|reply", "has no reply to compare"),
    ("client|tracking", "takes ids, and is followed by news between replies"),
    ("subscribe", "is answered by a message for each channel"),
    ("unsubscribe", "is answered by a message for each channel"),
    ("psubscribe", "is answered by a message for each pattern"),
    ("punsubscribe", "is answered by a message for each pattern"),
    ("ssubscribe", "is answered by a message for each channel"),
    ("sunsubscribe", "is answered by a message for each channel"),
    ("quit", "has nothing behind it"),
    ("shutdown", "has nothing behind it"),
    ("debug", "looks inside"),
    ("monitor", "is no request with a reply"),
    ("config|set", "can make any later call wait or fail"),
    ("config|rewrite", "writes a file"),
    ("memory|stats", "tells of shards"),
    ("memory|doctor", "tells of shards"),
    ("memory|malloc-stats", "tells of the process"),
    ("memory|purge", "is about the process"),
    ("latency", "measures"),
    ("slowlog", "measures"),
    ("command", "is long, and the same table everywhere"),
    ("command|docs", "is long, and the same table everywhere"),
    ("command|info", "is long, and the same table everywhere"),
    ("command|list", "is long, and the same table everywhere"),
];

/// Whether replies of a command are compared. What may block is not: it waits for time, which stands
/// still during a call.
#[must_use]
pub fn is_compared(spec: &Spec) -> bool {
    let apart = |(name, _): &(&str, &str)| {
        spec.name == *name
            || spec.parent().is_some_and(|parent| parent == *name && parent != "command")
    };
    // A client that waits for another to push something waits for ever where it is alone.
    !spec.flags.has(Flags::BLOCKING) && !APART.iter().any(apart)
}

/// How a client says its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Waits for each reply.
    OneByOne,
    /// Writes all at once, and lets no time pass.
    Pipelined,
}

/// Steps that a program may take; more is a node that goes round in circles.
const STEPS_MAX: u64 = 200_000;

/// Runs `program` for one client on a node of `shards`; gives the replies, and at the end what all
/// databases hold.
///
/// # Errors
/// When a reply does not come, or one comes that nobody asked for.
pub fn replies(
    program: &Program,
    shards: u16,
    seed: u64,
    pace: Pace,
) -> Result<Vec<Vec<u8>>, String> {
    let mut world = World::new(&Options::calm(shards, seed));
    let client = world.connect();
    let mut all = Vec::new();
    if seed.is_multiple_of(2) {
        // The other protocol version. The reply tells an id.
        world.call(client, &["HELLO", "3"]);
        reply_to(&mut world, client, "HELLO")?;
    }
    match pace {
        Pace::OneByOne => {
            let mut cursor = b"0".to_vec();
            for item in &program.0 {
                match item {
                    Item::Wait(ms) => world.advance(*ms),
                    Item::Call(argv) => {
                        world.call(client, &with_cursor(argv, &cursor));
                        let reply = reply_to(&mut world, client, &quoted(&argv[0]))?;
                        if argv[0].eq_ignore_ascii_case(b"scan") {
                            cursor = cursor_of(&reply).unwrap_or(cursor);
                        }
                        all.push(reply);
                    }
                }
            }
        }
        Pace::Pipelined => {
            for item in &program.0 {
                if let Item::Call(argv) = item {
                    world.call(client, &with_cursor(argv, b"0"));
                }
            }
            for item in &program.0 {
                if let Item::Call(argv) = item {
                    all.push(reply_to(&mut world, client, &quoted(&argv[0]))?);
                }
            }
        }
    }
    all.extend(remains(&mut world)?);
    if world.mail_len() > 0 || !world.is_even(client) {
        return Err("something is left when all was answered".to_owned());
    }
    Ok(all)
}

/// What all databases hold at the end.
fn remains(world: &mut World) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    let client = world.connect();
    for db in 0..3 {
        world.call(client, &["SELECT", &db.to_string()]);
        world.call(client, &["KEYS", "*"]);
        world.call(client, &["DBSIZE"]);
        for name in ["SELECT", "KEYS *", "DBSIZE"] {
            all.push(reply_to(world, client, name)?);
        }
    }
    let before = digest(world, client)?;
    // Whatever came to be must come back from what a snapshot would write.
    world.call(client, &["DEBUG", "RELOAD"]);
    let reloaded = reply_to(world, client, "DEBUG RELOAD")?;
    if reloaded != b"+OK\r\n" || digest(world, client)? != before {
        return Err(format!("reloading changes keys: {}", String::from_utf8_lossy(&reloaded)));
    }
    all.push(before);
    Ok(all)
}

fn digest(world: &mut World, client: crate::ClientId) -> Result<Vec<u8>, String> {
    world.call(client, &["DEBUG", "DIGEST"]);
    let digest = reply_to(world, client, "DEBUG DIGEST")?;
    if digest.starts_with(b"-") {
        return Err(format!("no digest: {}", String::from_utf8_lossy(&digest)));
    }
    Ok(digest)
}

fn reply_to(world: &mut World, client: crate::ClientId, name: &str) -> Result<Vec<u8>, String> {
    for _ in 0..STEPS_MAX {
        if let Some(reply) = world.next_reply(client) {
            return Ok(reply);
        }
        if !world.step() {
            return Err(format!("{name} is never answered"));
        }
    }
    Err(format!("{name} takes more than {STEPS_MAX} steps"))
}

fn with_cursor(argv: &[Vec<u8>], cursor: &[u8]) -> Vec<Vec<u8>> {
    let put = |arg: &Vec<u8>| if arg == LAST_CURSOR { cursor.to_vec() } else { arg.clone() };
    argv.iter().map(put).collect()
}

fn cursor_of(reply: &[u8]) -> Option<Vec<u8>> {
    match stoa_resp::decode(reply) {
        Ok(Some((Value::Array(parts), _))) => Some(parts.first()?.as_bytes()?.to_vec()),
        Ok(_) | Err(_) => None,
    }
}

/// A run's outcome, a panic included.
fn outcome(program: &Program, shards: u16, seed: u64, pace: Pace) -> Result<Vec<Vec<u8>>, String> {
    let run = || replies(program, shards, seed, pace);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("?")))
    })
}

/// How a program's replies on `shards` differ from those on one; [`None`] if they do not.
#[must_use]
pub fn difference(program: &Program, shards: u16, seed: u64, pace: Pace) -> Option<String> {
    let (one, many) = (outcome(program, 1, seed, pace), outcome(program, shards, seed, pace));
    match (one, many) {
        (Ok(one), Ok(many)) if one == many => None,
        (Ok(one), Ok(many)) => {
            let at = one.iter().zip(&many).position(|(a, b)| a != b).unwrap_or(one.len());
            let show = |replies: &[Vec<u8>]| {
                replies
                    .get(at)
                    .map_or("(none)".into(), |r| format!("{:?}", String::from_utf8_lossy(r)))
            };
            let calls = program.0.iter().filter(|item| matches!(item, Item::Call(_))).count();
            let place = if at < calls { "reply" } else { "what remains, reply" };
            Some(format!(
                "{place} {at}\n  on 1 shard:   {}\n  on {shards} shards: {}",
                show(&one),
                show(&many)
            ))
        }
        (Err(error), _) => Some(format!("on 1 shard: {error}")),
        (_, Err(error)) => Some(format!("on {shards} shards: {error}")),
    }
}

/// The random program of a seed, and how it is said.
#[must_use]
pub fn program_of(grammar: &Grammar, seed: u64) -> (Program, u16, Pace) {
    let mut rng = Rng::new(seed);
    let len = 5 + rng.below(40) as usize;
    let program = Program::random(grammar, len, &mut rng);
    let pace = if rng.one_in(3) { Pace::Pipelined } else { Pace::OneByOne };
    (program, *rng.pick(&SHARDS), pace)
}

/// Checks the program of one seed; a failure is told with the smallest program that shows it.
///
/// # Errors
/// What differs, and how to see it again.
pub fn check(grammar: &Grammar, seed: u64) -> Result<(), String> {
    let (program, shards, pace) = program_of(grammar, seed);
    if difference(&program, shards, seed, pace).is_none() {
        return Ok(());
    }
    let fails = |items: &[Item]| difference(&Program(items.to_vec()), shards, seed, pace).is_some();
    let small = Program(shrink(&program.0, fails));
    let what = difference(&small, shards, seed, pace).unwrap_or_default();
    Err(format!("seed {seed}, {shards} shards, {pace:?}: {what}\n{}", small.text()))
}
