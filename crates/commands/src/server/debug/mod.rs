//! DEBUG: what test suites and the curious need, behind `enable-debug-command`.
//!
//! One command with words for subcommands, as in Redis. Every shard does its part, because keys and
//! background work are everywhere; the home shard answers. A shard decides by itself whether the
//! client may, from the same facts, so either all do it or none.

mod digest;
mod listpack;
mod object;
mod parse;
mod protocol;
mod reload;
mod trace;

use stoa_command::{Args, Arity, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::{Command, Ctx, Order, Part, Proto, Reply, Sample};
use stoa_keyspace::Ttl;
use stoa_observability::Histogram;
use stoa_stdx::MonoMs;

use self::digest::{Digest, Total};
use self::parse::{Populate, What};
use super::{ADMIN, config};

const FORBIDDEN: ReplyError = ReplyError::Text(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can \
     run it from a local connection, otherwise you need to set this option in the configuration file, \
     and then restart the server.",
);

const NOT_PACKED: ReplyError = ReplyError::Text("ERR Not a listpack encoded object.");

/// Texts that STRINGMATCH-TEST matches, and how long they and their patterns are at most.
const MATCHES: usize = 20_000;
const MATCH_LEN_MAX: u64 = 32;

const NOT_RELOADED: ReplyError = ReplyError::Text(
    "ERR a value was not read back from what was written; it and those behind it are unchanged",
);

const NO_TABLE: ReplyError = ReplyError::Text(
    "ERR The value stored at the specified key is not represented using an hash table",
);

/// `DEBUG subcommand [arg ...]`
pub struct Debug;

/// What one shard says.
enum Said {
    /// It did its part, or had none.
    Done,
    /// The key was here.
    Object(String),
    /// The key was here; how many elements its table has, if it has one.
    Table(Option<usize>),
    /// Of each database.
    Digests(Vec<Total>),
    /// Of each key asked for, if it is here.
    Values(Vec<Option<Digest>>),
    /// The key was here; the elements of its buffer, if it has one.
    Packed(Option<String>),
    /// Whether all keys came back.
    Reloaded(bool),
    /// How long its inserts took.
    Inserts(Box<Histogram>),
    /// Of the requests it followed.
    Samples(Vec<Sample>),
}

impl Command for Debug {
    const SPEC: Spec = Spec {
        name: "debug",
        is_internal: true,
        summary: "Holds the commands for tests and for looking inside.",
        since: "1.0.0",
        group: Group::Server,
        complexity: "That of the subcommand.",
        syntax: "subcommand [arg...]",
        arity: Arity(-2),
        flags: ADMIN.with(stoa_command::Flags::PROTECTED),
        all_keys: Some(parse::wants_all_keys),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        ..Spec::DEFAULT
    };

    type Args<'a> = What<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<What<'a>, ReplyError> {
        What::parse(args)
    }

    fn execute(what: What<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let part = Self::collect(what.clone(), ctx);
        Self::merge(what, vec![part], ctx, reply)
    }

    fn collect(what: What<'_>, ctx: &mut Ctx<'_>) -> Part {
        Box::new(if allowed(ctx) { act(&what, ctx) } else { Said::Done })
    }

    fn merge(
        what: What<'_>,
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if !allowed(ctx) {
            return Err(FORBIDDEN);
        }
        let said = parts.into_iter().map(|part| *part.downcast::<Said>().expect("DEBUG says so"));
        if matches!(what, What::MatchTest) {
            match_anything(ctx);
        }
        let proto = ctx.proto();
        answer(&what, said.collect(), proto, reply)
    }
}

/// Digits of a history's name.
const REPL_ID_LEN: usize = 40;

/// The most of an unknown subcommand that its refusal repeats, bytes.
const ECHO_LEN_MAX: usize = 128;

fn allowed(ctx: &mut Ctx<'_>) -> bool {
    let origin = config::origin(ctx);
    ctx.node.config.enable_debug_command.allows(origin)
}

/// This shard's part.
fn act(what: &What<'_>, ctx: &mut Ctx<'_>) -> Said {
    match what {
        What::Sleep { ms } => {
            let until = MonoMs(ctx.mono.0.saturating_add(*ms));
            ctx.node.orders.push(Order::Stall(until));
        }
        What::SetActiveExpire(on) => ctx.node.active_expire = *on,
        What::PauseCron(on) => ctx.node.cron_rests = *on,
        What::ScriptsMayAll(on) => ctx.node.scripts_may_all = *on,
        What::SkipSums(on) => ctx.node.checks_payload_sums = !on,
        What::Populate(populate) => fill(populate, ctx),
        What::Object(key) => {
            if let Some(text) = object::describe(key, ctx) {
                return Said::Object(text);
            }
        }
        What::TableStats(key) => {
            let key = ctx.key(key);
            if let Some(entry) = ctx.db().peek(&key) {
                let len = entry.object().filter(|_| entry.encoding() == "hashtable");
                return Said::Table(len.map(stoa_value::ObjectRef::len));
            }
        }
        What::Digest => return Said::Digests(digest::of_databases(ctx)),
        What::DigestValue(keys) => return Said::Values(digest::of_values(keys, ctx)),
        What::InsertHistogram => return Said::Inserts(Box::new(ctx.node.inserts.clone())),
        What::Reload => return Said::Reloaded(reload::reload(ctx)),
        What::Listpack(key) => {
            if let Some(text) = listpack::describe(key, ctx) {
                return Said::Packed(text);
            }
        }
        What::ChangeReplId => ctx.node.repl_id = next_repl_id(ctx),
        What::Trace => return Said::Samples(ctx.node.tracer.samples().cloned().collect()),
        What::Help
        | What::Error(_)
        | What::Protocol(_)
        | What::PackedThreshold(_)
        | What::NotReloaded(_)
        | What::MatchTest
        | What::Unknown(_) => {}
    }
    Said::Done
}

/// The name of the history after the present one: the same on every shard, and nobody's guess.
fn next_repl_id(ctx: &Ctx<'_>) -> String {
    let hash = |part: u8| {
        let text = [ctx.node.repl_id.as_bytes(), &[part]].concat();
        format!("{:016x}", ctx.keyspace.seed().hash(&text))
    };
    let mut id: String = (0..3).map(hash).collect();
    id.truncate(REPL_ID_LEN);
    id
}

/// Matches texts and patterns of the characters that mean something in a pattern, made up by chance.
fn match_anything(ctx: &mut Ctx<'_>) {
    let mut rng = ctx.chance();
    for _ in 0..MATCHES {
        let mut some = || -> Vec<u8> {
            let len = rng.below(MATCH_LEN_MAX);
            (0..len).map(|_| *rng.pick(b"*?[]^-\\ab")).collect()
        };
        let (pattern, text) = (some(), some());
        std::hint::black_box(stoa_stdx::glob_match(&pattern, &text, pattern.len() % 2 == 0));
    }
}

/// Makes the keys of a POPULATE that are this shard's and not there.
fn fill(populate: &Populate<'_>, ctx: &mut Ctx<'_>) {
    for number in 0..populate.count {
        let (name, value) = populate.entry(number);
        let key = ctx.key(&name);
        if ctx.owns(&key) && ctx.db().peek(&key).is_none() {
            ctx.db().set_string(&key, &value, Ttl::Clear);
        }
    }
}

fn answer(
    what: &What<'_>,
    said: Vec<Said>,
    proto: Proto,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    match what {
        What::Help => parse::help(reply),
        What::Sleep { .. }
        | What::SetActiveExpire(_)
        | What::PauseCron(_)
        | What::ScriptsMayAll(_)
        | What::SkipSums(_)
        | What::Populate(_)
        | What::ChangeReplId
        | What::PackedThreshold(true) => reply.ok(),
        What::MatchTest => reply.simple("Apparently Redis did not crash: test passed"),
        What::PackedThreshold(false) => reply
            .error_text(b"ERR argument must be a memory value bigger than 1 and smaller than 4gb"),
        What::Error(text) => reply.error_text(text),
        What::Protocol(name) => protocol::example(name, proto, reply)?,
        What::NotReloaded(why) => return Err(ReplyError::Text(why)),
        What::Listpack(_) => {
            let found = said.into_iter().find_map(|said| match said {
                Said::Packed(text) => Some(text),
                _ => None,
            });
            let text = found.ok_or(ReplyError::NoSuchKey)?.ok_or(NOT_PACKED)?;
            reply.verbatim("txt", text.as_bytes());
        }
        What::Reload => {
            let is_failed = |said: &Said| matches!(said, Said::Reloaded(false));
            if said.iter().any(is_failed) {
                return Err(NOT_RELOADED);
            }
            reply.ok();
        }
        What::Unknown(word) => {
            let before = "ERR unknown subcommand or wrong number of arguments for '";
            let word = &word[..word.len().min(ECHO_LEN_MAX)];
            reply.error_echo(before, word, "'. Try DEBUG HELP.");
        }
        What::Object(_) => {
            let found = said.into_iter().find_map(|said| match said {
                Said::Object(text) => Some(text),
                _ => None,
            });
            reply.simple(&found.ok_or(ReplyError::NoSuchKey)?);
        }
        What::TableStats(_) => {
            let found = said.into_iter().find_map(|said| match said {
                Said::Table(len) => Some(len),
                _ => None,
            });
            let len = found.ok_or(ReplyError::NoSuchKey)?.ok_or(NO_TABLE)?;
            // Leaves are never all full nor all empty, and there is no second table to move to.
            let size = len.next_power_of_two();
            let text = format!(
                "Hash table 0 stats (main hash table):\n table size: {size}\n number of elements: {len}\n"
            );
            reply.verbatim("txt", text.as_bytes());
        }
        What::Digest => reply.simple(&digest::together(digests(said)).to_string()),
        What::DigestValue(keys) => {
            reply.array(keys.len());
            for value in values(said, keys.len()) {
                reply.simple(&value.unwrap_or_default().to_string());
            }
        }
        What::Trace => trace::print(samples(said), reply),
        What::InsertHistogram => {
            let mut all = Histogram::new();
            for said in &said {
                if let Said::Inserts(histogram) = said {
                    all.merge(histogram);
                }
            }
            reply.verbatim("txt", all.print().as_bytes());
        }
    }
    Ok(())
}

fn digests(said: Vec<Said>) -> impl Iterator<Item = Vec<Total>> {
    said.into_iter().filter_map(|said| match said {
        Said::Digests(totals) => Some(totals),
        Said::Done
        | Said::Object(_)
        | Said::Table(_)
        | Said::Packed(_)
        | Said::Values(_)
        | Said::Reloaded(_)
        | Said::Samples(_)
        | Said::Inserts(_) => None,
    })
}

fn samples(said: Vec<Said>) -> Vec<Sample> {
    let samples = |said| if let Said::Samples(samples) = said { samples } else { Vec::new() };
    said.into_iter().flat_map(samples).collect()
}

/// Each key's value from the shard that has it.
fn values(said: Vec<Said>, count: usize) -> Vec<Option<Digest>> {
    let mut all = vec![None; count];
    for said in said {
        if let Said::Values(values) = said {
            for (known, here) in all.iter_mut().zip(values) {
                *known = known.or(here);
            }
        }
    }
    all
}
