//! INFO: how the server stands.
//!
//! Each shard says what it counted, of the sections asked for; the home shard adds up, asks the
//! system for what only it knows, and prints. The table of fields is in `stoa-observability`.

use std::sync::Arc;

use stoa_command::{
    Args, Arity, Category, Flags, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Kind, Node, Part, Reply};
use stoa_observability::info::{
    Clients, DbFacts, InfoInputs, Instantaneous, Listener, MemoryFacts, Persistence, PubSub,
    Replication, Section, Sections, ServerFacts, ShardFacts, Tracking, render,
};
use stoa_observability::{CommandStats, Counters, ErrorStats};
use stoa_stdx::DbIndex;

/// `INFO [section ...]`
pub struct Info;

/// What one shard says.
pub(super) struct Facts {
    counters: Counters,
    /// Only if a section shows them: histograms are large.
    commands: Option<CommandStats>,
    rates: Instantaneous,
    errors: ErrorStats,
    dbs: Vec<DbFacts>,
    shard: ShardFacts,
    changes: u64,
    input_len_max: usize,
    output_len_max: usize,
    client_bytes: u64,
    /// What counts against `maxmemory`.
    counted_bytes: i64,
    subscribers: u64,
    /// Clients that wait for a key.
    blocked: u64,
    /// Clients that watch a key.
    watching: u64,
    /// Keys of this shard that are watched.
    watched: u64,
    /// Clients that track what they cache.
    tracking: u64,
    /// Keys that they have read, and pairs of key and client.
    tracked: (u64, u64),
    /// Connections to other servers that are kept for the next MIGRATE.
    idle_links: usize,
}

impl Facts {
    pub(super) fn of(ctx: &mut Ctx<'_>, with_commands: bool) -> Self {
        let avg_ttls = ctx.keyspace.mean_ttl_ms(ctx.now, &mut ctx.node.rng);
        let node = &*ctx.node;
        let mut counters = node.counters.clone();
        counters.keyspace_hits += ctx.keyspace.stats.hits;
        counters.keyspace_misses += ctx.keyspace.stats.misses;
        counters.expired_keys += ctx.keyspace.stats.expired;
        counters.expired_subkeys += ctx.keyspace.stats.expired_fields;
        counters.keyspace_changes = node.dirty;
        let dbs: Vec<DbFacts> = (0..ctx.keyspace.database_count())
            .map(|index| {
                let (keys, expires) = ctx.keyspace.counts(DbIndex(index));
                let avg_ttl_ms = avg_ttls[index as usize];
                let (keys, expires) = (keys as u64, expires as u64);
                DbFacts { keys, expires, avg_ttl_ms, ..DbFacts::default() }
            })
            .collect();
        let buffers = |session: &stoa_engine::Session| session.input_len + session.output_len;
        let client_bytes =
            ctx.sessions.iter().map(|one| (size_of_val(one) + buffers(one)) as u64).sum();
        Self {
            shard: ShardFacts {
                keys: dbs.iter().map(|db| db.keys).sum(),
                clients: ctx.sessions.iter().filter(|one| !one.is_killed).count() as u64,
                used_bytes: ctx.keyspace.used_bytes() as u64,
                commands: counters.commands_processed,
                commands_for_others: counters.commands_for_others,
                passes: counters.passes,
                ..ShardFacts::default()
            },
            rates: node.rates.instantaneous(),
            commands: with_commands.then(|| node.commands.clone()),
            errors: node.errors.clone(),
            dbs,
            changes: node.dirty - node.snapshots.changes,
            input_len_max: ctx.sessions.iter().map(|one| one.input_len).max().unwrap_or(0),
            output_len_max: ctx.sessions.iter().map(|one| one.output_len).max().unwrap_or(0),
            client_bytes,
            counted_bytes: node.memory_used(ctx.keyspace),
            subscribers: ctx.sessions.iter().filter(|one| one.is_subscriber()).count() as u64,
            blocked: node.waiting,
            watching: ctx.sessions.iter().filter(|one| !one.watching.is_empty()).count() as u64,
            watched: ctx.keyspace.watched_count() as u64,
            tracking: node.tracking.clients.len() as u64,
            tracked: (node.tracking.readers.len() as u64, node.tracking.readers.items() as u64),
            idle_links: node.idle_links,
            counters,
        }
    }
}

impl Command for Info {
    const SPEC: Spec = Spec {
        name: "info",
        summary: "Answers facts and statistics about the server.",
        since: "1.0.0",
        group: Group::Server,
        syntax: "[section...]",
        arity: Arity(-1),
        flags: Flags::LOADING.with(Flags::STALE),
        categories: &[Category::Dangerous],
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Spec::DEFAULT
    };

    type Args<'a> = Sections;

    fn parse(args: &mut Args<'_>) -> Result<Sections, ReplyError> {
        Ok(Sections::parse(args.rest().iter().copied()))
    }

    fn execute(
        sections: Sections,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let part = Self::collect(sections, ctx);
        Self::merge(sections, vec![part], ctx, reply)
    }

    fn collect(sections: Sections, ctx: &mut Ctx<'_>) -> Part {
        let with_commands =
            sections.has(Section::Commandstats) || sections.has(Section::Latencystats);
        Box::new(Facts::of(ctx, with_commands))
    }

    fn merge(
        sections: Sections,
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let inputs = inputs(parts, ctx);
        let mut text = String::new();
        render(&inputs, sections, &mut text);
        reply.verbatim("txt", text.as_bytes());
        Ok(())
    }
}

/// The facts of all shards and of the system, put together.
pub(super) fn inputs(parts: Vec<Part>, ctx: &Ctx<'_>) -> InfoInputs {
    let node = &*ctx.node;
    let mut inputs = InfoInputs {
        server: server(ctx),
        clients: Clients { max: u64::from(node.config.maxclients), ..Clients::default() },
        memory: memory(node),
        persistence: persistence(node),
        replication: Replication { replid: node.repl_id.clone(), ..Replication::default() },
        // Each shard knows them for all.
        pubsub: PubSub {
            channels: node.pubsub.counts.len(Kind::Channel) as u64,
            patterns: node.pubsub.counts.len(Kind::Pattern) as u64,
            shard_channels: node.pubsub.counts.len(Kind::Shard) as u64,
        },
        tracking: Tracking { prefixes: node.tracking.prefixes.len() as u64, ..Tracking::default() },
        ..InfoInputs::default()
    };
    let mut counted_bytes = 0;
    for part in parts {
        let facts = *part.downcast::<Facts>().expect("INFO collects facts");
        counted_bytes += facts.counted_bytes;
        add(&mut inputs, facts);
    }
    let process = (node.facts.world.process)();
    inputs.cpu = process.cpu;
    if inputs.memory.used == 0 {
        inputs.memory.used = inputs.shards.iter().map(|shard| shard.used_bytes).sum();
    }
    // What `maxmemory` goes by is the rest: INFO shows both, at about the same moment.
    let counted_bytes = u64::try_from(counted_bytes).unwrap_or(0);
    inputs.memory.not_counted_for_evict = inputs.memory.used.saturating_sub(counted_bytes);
    inputs.memory.used_peak = inputs.memory.used_peak.max(inputs.memory.used);
    inputs.command_names = names(node);
    inputs.latency_percentiles = percentiles(node);
    inputs.commands.set_latency_tracking(node.config.latency_tracking);
    inputs
}

fn add(inputs: &mut InfoInputs, facts: Facts) {
    inputs.counters.merge(&facts.counters);
    inputs.errors.merge(&facts.errors);
    inputs.instantaneous.add(&facts.rates);
    if let Some(commands) = &facts.commands {
        inputs.commands.merge(commands);
    }
    inputs.dbs.resize(inputs.dbs.len().max(facts.dbs.len()), DbFacts::default());
    for (sum, db) in inputs.dbs.iter_mut().zip(&facts.dbs) {
        // Means weigh as much as what they are of.
        let ttl_sum = u128::from(sum.avg_ttl_ms) * u128::from(sum.expires)
            + u128::from(db.avg_ttl_ms) * u128::from(db.expires);
        sum.keys += db.keys;
        sum.expires += db.expires;
        sum.avg_ttl_ms = (ttl_sum / u128::from(sum.expires.max(1))) as u64;
    }
    inputs.persistence.changes_since_save += facts.changes;
    inputs.clients.connected += facts.shard.clients;
    inputs.clients.pubsub += facts.subscribers;
    inputs.clients.blocked += facts.blocked;
    inputs.clients.watching += facts.watching;
    inputs.clients.total_watched_keys += facts.watched;
    inputs.clients.tracking += facts.tracking;
    inputs.clients.migrate_sockets += facts.idle_links as u64;
    inputs.tracking.keys += facts.tracked.0;
    inputs.tracking.items += facts.tracked.1;
    let clients = &mut inputs.clients;
    clients.recent_max_input_bytes = clients.recent_max_input_bytes.max(facts.input_len_max as u64);
    clients.recent_max_output_bytes =
        clients.recent_max_output_bytes.max(facts.output_len_max as u64);
    inputs.memory.clients_normal += facts.client_bytes;
    inputs.memory.overhead += facts.client_bytes;
    inputs.shards.push(facts.shard);
}

/// But for the changes, each shard knows it for all.
fn persistence(node: &Node) -> Persistence {
    let saved = node.snapshots;
    Persistence {
        // Until there is one, what was there at the start counts as saved then.
        last_save_at: saved.last_at.max(node.facts.started_unix),
        last_save_failed: saved.has_failed,
        last_save_s: saved.last_s,
        saves: saved.count,
        load_keys_loaded: saved.keys_loaded,
        load_keys_expired: saved.keys_expired,
        ..Persistence::default()
    }
}

fn server(ctx: &Ctx<'_>) -> ServerFacts {
    let (node, facts) = (&*ctx.node, &ctx.node.facts);
    let hz = u32::from(node.config.hz);
    let mut listeners = Vec::new();
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if facts.tcp_port != 0 {
        let binds = node.config.bind.iter().map(|address| lossy(address)).collect();
        listeners.push(Listener { kind: "tcp", binds, port: Some(facts.tcp_port) });
    }
    if let Some(path) = &node.config.unix_socket {
        listeners.push(Listener { kind: "unix", binds: vec![lossy(path)], port: None });
    }
    ServerFacts {
        os: facts.os.clone(),
        driver: facts.driver,
        pid: facts.pid,
        run_id: facts.run_id.clone(),
        tcp_port: facts.tcp_port,
        now_us: ctx.now.0 * 1_000,
        uptime_ms: ctx.mono.0.saturating_sub(facts.started.0),
        hz,
        configured_hz: hz,
        executable: facts.executable.clone(),
        config_file: facts.config_file.clone(),
        listeners,
        shards: u32::from(node.shards),
        ..ServerFacts::default()
    }
}

fn memory(node: &Node) -> MemoryFacts {
    let process = (node.facts.world.process)();
    // Every shard has all scripts and libraries; they are counted once.
    let scripts = node.scripts.figures();
    MemoryFacts {
        used: process.allocator.allocated,
        used_peak: process.allocated_peak,
        used_peak_at: process.allocated_peak_at,
        rss: process.rss,
        startup: process.allocated_at_start,
        overhead: process.allocated_at_start,
        total_system: process.total_system,
        allocator: process.allocator,
        scripts_eval: scripts.scripts.1 as u64,
        scripts_cached: scripts.scripts.0 as u64,
        libraries_loaded: scripts.libraries.0 as u64,
        functions_loaded: scripts.libraries.1 as u64,
        maxmemory: number(node, "maxmemory"),
        maxmemory_policy: policy(node),
        ..MemoryFacts::default()
    }
}

/// A directive that is a number, as CONFIG GET prints it.
fn number(node: &Node, name: &str) -> u64 {
    let text = node.config.value(name).unwrap_or_default();
    std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn policy(node: &Node) -> &'static str {
    let value = node.config.value("maxmemory-policy").unwrap_or_default();
    let row = stoa_config::table::find(b"maxmemory-policy").map(|(_, row)| row.kind);
    match row {
        Some(stoa_config::Kind::Choice(words)) => {
            words.iter().copied().find(|word| word.as_bytes() == value).unwrap_or("noeviction")
        }
        _ => "noeviction",
    }
}

fn percentiles(node: &Node) -> Vec<f64> {
    let text = node.config.value("latency-tracking-info-percentiles").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn names(node: &Node) -> Arc<[String]> {
    node.table.entries().iter().map(|entry| entry.spec.name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    #[test]
    fn what_was_counted_is_shown_and_forgotten_on_request() {
        let mut bench = Bench::new();
        bench.run("SET k v PX 100000");
        bench.run("GET k");
        bench.run("GET nosuch");
        let reply = bench.run("INFO stats keyspace");
        for line in ["keyspace_hits:1", "keyspace_misses:1", "db0:keys=1,expires=1"] {
            assert!(reply.contains(line), "{line} in {reply}");
        }
        bench.run("CONFIG RESETSTAT");
        let reply = bench.run("INFO stats");
        assert!(reply.contains("keyspace_hits:0"), "{reply}");
        assert!(!reply.contains("db0"), "only the sections asked for: {reply}");
    }

    #[test]
    fn durations_are_neither_kept_nor_shown_while_tracking_is_off() {
        let mut bench = Bench::new();
        let ran = |bench: &mut Bench| {
            let set = bench.node.table.find(b"set").expect("a command");
            bench.node.commands.ran(set as usize, 5_000, 0);
            bench.run("INFO latencystats").contains("latency_percentiles_usec_set:p50=5.")
        };
        assert!(ran(&mut bench));
        bench.run("CONFIG SET latency-tracking no");
        assert!(!ran(&mut bench), "shown although off");
        bench.run("CONFIG RESETSTAT");
        assert!(!ran(&mut bench), "shown although off");
        bench.run("CONFIG SET latency-tracking yes");
        let reply = bench.run("INFO latencystats");
        assert!(!reply.contains("usec_set"), "what ran meanwhile was kept: {reply}");
        assert!(ran(&mut bench));
    }

    #[test]
    fn the_default_sections_name_the_versions_and_this_run() {
        let mut bench = Bench::new();
        bench.advance(61_000);
        let reply = bench.run("INFO");
        for line in ["redis_version:7.4", "stoa_version:", "connected_clients:1", "role:master"] {
            assert!(reply.contains(line), "{line} in {reply}");
        }
        assert!(!reply.contains("# Commandstats"), "{reply}");
        assert_eq!(bench.run("INFO nosuch"), "\"\"");
    }
}
