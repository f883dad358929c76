//! MEMORY: where the bytes are.
//!
//! The figures are INFO's: what shards account and what the allocator says. What this server has not
//! (backlog, append-only buffer, script caches) is 0, because tools read the whole list.

use stoa_command::{
    Args, Arity, Flags, Group, KeyFlags, KeySpec, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Part, Reply};
use stoa_observability::info::{DbFacts, InfoInputs};

use super::info::{Facts, inputs};

const MEMORY: Spec = Spec { group: Group::Server, since: "4.0.0", ..Spec::DEFAULT };

/// The tips of what a client should ask every shard of a cluster.
const SPECIAL: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

/// `MEMORY USAGE key [SAMPLES count]`
pub struct Usage;

impl Command for Usage {
    const SPEC: Spec = Spec {
        name: "memory|usage",
        summary: "Answers the bytes that a key takes with its value.",
        complexity: "O(1)",
        syntax: "key [SAMPLES count]",
        arity: Arity(-3),
        flags: Flags::READONLY,
        keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO)],
        ..MEMORY
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        let key = args.bytes()?;
        while args.left() > 0 {
            if args.left() < 2 || !args.word("SAMPLES") {
                return Err(ReplyError::Syntax);
            }
            // Values are accounted, not sampled: the number is checked and not needed.
            if args.int()? < 0 {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(key)
    }

    fn execute(key: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        match ctx.db().peek(&key) {
            None => reply.null(),
            Some(entry) => reply.int(entry.bytes() as i64),
        }
        Ok(())
    }
}

/// `MEMORY STATS`
pub struct Stats;

impl Command for Stats {
    const SPEC: Spec = Spec {
        name: "memory|stats",
        summary: "Answers how much memory is used for what.",
        arity: Arity(2),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        tips: SPECIAL,
        ..MEMORY
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let part = Self::collect((), ctx);
        Self::merge((), vec![part], ctx, reply)
    }

    fn collect((): (), ctx: &mut Ctx<'_>) -> Part {
        Box::new(Facts::of(ctx, false))
    }

    fn merge(
        (): (),
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let inputs = inputs(parts, ctx);
        let figures = figures(&inputs);
        let used = |(_, db): &(usize, &DbFacts)| db.keys > 0;
        let dbs = || inputs.dbs.iter().enumerate().filter(used);
        reply.map(figures.len() + dbs().count());
        for (index, db) in dbs() {
            reply.bulk(format!("db.{index}").as_bytes());
            reply.map(2);
            // A table word a key, and a deadline word a key that has one.
            reply.bulk(b"overhead.hashtable.main");
            reply.int(db.keys as i64 * 10);
            reply.bulk(b"overhead.hashtable.expires");
            reply.int(db.expires as i64 * 8);
        }
        for (name, figure) in figures {
            reply.bulk(name.as_bytes());
            match figure {
                Figure::Count(value) => reply.int(value),
                Figure::Ratio(value) => reply.double(value),
            }
        }
        Ok(())
    }
}

enum Figure {
    Count(i64),
    Ratio(f64),
}

fn ratio(above: u64, below: u64) -> f64 {
    if below == 0 { 0.0 } else { above as f64 / below as f64 }
}

fn figures(inputs: &InfoInputs) -> Vec<(&'static str, Figure)> {
    let memory = &inputs.memory;
    let allocator = &memory.allocator;
    let keys: u64 = inputs.dbs.iter().map(|db| db.keys).sum();
    let dataset = memory.used.saturating_sub(memory.overhead);
    let grown = memory.used.saturating_sub(memory.startup);
    let count = |value: u64| Figure::Count(value as i64);
    let less = |above: u64, below: u64| Figure::Count(above as i64 - below as i64);
    vec![
        ("peak.allocated", count(memory.used_peak)),
        ("total.allocated", count(memory.used)),
        ("startup.allocated", count(memory.startup)),
        ("replication.backlog", count(memory.replication_backlog)),
        ("clients.slaves", count(memory.clients_replicas)),
        ("clients.normal", count(memory.clients_normal)),
        ("cluster.links", count(memory.cluster_links)),
        ("aof.buffer", count(memory.log_buffer)),
        ("lua.caches", count(memory.scripts_eval)),
        ("functions.caches", count(memory.functions)),
        ("overhead.total", count(memory.overhead)),
        ("keys.count", count(keys)),
        ("keys.bytes-per-key", count(grown.checked_div(keys).unwrap_or(0))),
        ("dataset.bytes", count(dataset)),
        ("dataset.percentage", Figure::Ratio(ratio(dataset, grown) * 100.0)),
        ("peak.percentage", Figure::Ratio(ratio(memory.used, memory.used_peak) * 100.0)),
        ("allocator.allocated", count(allocator.allocated)),
        ("allocator.active", count(allocator.active)),
        ("allocator.resident", count(allocator.resident)),
        ("allocator.muzzy", count(allocator.muzzy)),
        (
            "allocator-fragmentation.ratio",
            Figure::Ratio(ratio(allocator.active, allocator.allocated)),
        ),
        ("allocator-fragmentation.bytes", less(allocator.active, allocator.allocated)),
        ("allocator-rss.ratio", Figure::Ratio(ratio(allocator.resident, allocator.active))),
        ("allocator-rss.bytes", less(allocator.resident, allocator.active)),
        ("rss-overhead.ratio", Figure::Ratio(ratio(memory.rss, allocator.resident))),
        ("rss-overhead.bytes", less(memory.rss, allocator.resident)),
        ("fragmentation", Figure::Ratio(ratio(memory.rss, memory.used))),
        ("fragmentation.bytes", less(memory.rss, memory.used)),
    ]
}

/// `MEMORY DOCTOR`
pub struct Doctor;

impl Command for Doctor {
    const SPEC: Spec = Spec {
        name: "memory|doctor",
        summary: "Says what looks wrong with the use of memory, and what helps.",
        ..Stats::SPEC
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let part = Self::collect((), ctx);
        Self::merge((), vec![part], ctx, reply)
    }

    fn collect((): (), ctx: &mut Ctx<'_>) -> Part {
        Box::new(Facts::of(ctx, false))
    }

    fn merge(
        (): (),
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        reply.verbatim("txt", report(&inputs(parts, ctx)).as_bytes());
        Ok(())
    }
}

/// Below this nothing can be said: the program itself outweighs the data.
const USED_MIN: u64 = 5 * 1024 * 1024;
/// Mean buffers of a client above this are worth a word.
const CLIENT_BYTES_MAX: u64 = 200 * 1024;

fn report(inputs: &InfoInputs) -> String {
    let memory = &inputs.memory;
    if memory.used < USED_MIN {
        return "There is almost no data here, so nothing can be said about memory yet.\n".into();
    }
    let mut found = Vec::new();
    if memory.used_peak > memory.used / 2 * 3 {
        found.push(
            "The peak was far above what is used now: resident memory may stay high until it is used \
             again. MEMORY PURGE gives unused pages back.",
        );
    }
    if ratio(memory.rss, memory.used) > 1.4 {
        found.push(
            "Much more memory is resident than used: entries of many sizes came and went. MEMORY PURGE \
             may help, a restart does.",
        );
    }
    let clients = inputs.clients.connected.max(1);
    if memory.clients_normal / clients > CLIENT_BYTES_MAX {
        found.push(
            "Clients hold large buffers: look for slow readers with CLIENT LIST and at \
             client-output-buffer-limit.",
        );
    }
    if found.is_empty() {
        return "Nothing looks wrong with the use of memory.\n".into();
    }
    found.iter().map(|line| format!(" * {line}\n")).collect()
}

const CANNOT_PURGE: ReplyError = ReplyError::Text(
    "ERR the allocator cannot be asked to give memory back here; it does so by itself after a while",
);

/// `MEMORY PURGE`
pub struct Purge;

impl Command for Purge {
    const SPEC: Spec = Spec {
        name: "memory|purge",
        summary: "Asks the allocator to give unused memory back to the system.",
        complexity: "depends on how much there is",
        arity: Arity(2),
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..MEMORY
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        if !(ctx.node.facts.world.purge_memory)() {
            return Err(CANNOT_PURGE);
        }
        reply.ok();
        Ok(())
    }
}

/// `MEMORY MALLOC-STATS`
pub struct MallocStats;

impl Command for MallocStats {
    const SPEC: Spec = Spec {
        name: "memory|malloc-stats",
        summary: "Answers the allocator's own report.",
        complexity: "depends on how much there is",
        arity: Arity(2),
        tips: SPECIAL,
        ..MEMORY
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let mut report = (ctx.node.facts.world.allocator_report)();
        if report.is_empty() {
            report.push_str("Stats not supported for the current allocator");
        }
        reply.verbatim("txt", report.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    #[test]
    fn a_longer_value_takes_more_memory() {
        let mut bench = Bench::new();
        let mut usage = |value: &str| -> i64 {
            bench.call(&[b"SET", b"k", value.as_bytes()]);
            let reply = bench.run("MEMORY USAGE k SAMPLES 5");
            reply.strip_prefix("(integer) ").and_then(|n| n.parse().ok()).expect("a number")
        };
        let (short, long) = (usage("1"), usage(&"x".repeat(10_000)));
        assert!(short > 1 && long > 10_000 && long > short, "{short} {long}");
    }

    #[test]
    fn statistics_are_pairs_with_a_database_that_has_keys() {
        let mut bench = Bench::new();
        bench.run("SET k v");
        let reply = bench.run("MEMORY STATS");
        for field in ["peak.allocated", "keys.count", "dataset.bytes", "db.0", "fragmentation"] {
            assert!(reply.contains(&format!("\"{field}\"")), "{field} in {reply}");
        }
        assert!(!reply.contains("db.1"), "{reply}");
    }
}
