//! CONFIG: reads and changes the configuration while the server runs.
//!
//! Every shard has its copy and applies the same change to it: all of them started equal and see
//! the same requests, so they come to the same verdict and stay equal.

use stoa_command::{Args, Arity, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_config::{Changed, Config, ConfigError, LogLevel, Origin, table};
use stoa_engine::{Command, Ctx, Order, Reply};
use stoa_keyspace::KeyspaceStats;
use stoa_observability::{Counters, ErrorStats, Rates};
use stoa_stdx::ShardId;

use super::{ADMIN, ALL_NODES};

const CONFIG: Spec = Spec { group: Group::Server, flags: ADMIN, since: "2.0.0", ..Spec::DEFAULT };

/// Where the client comes from, as far as permissions care.
pub(crate) fn origin(ctx: &mut Ctx<'_>) -> Origin {
    let session = ctx.session();
    if session.is_local || session.is_unix { Origin::Local } else { Origin::Remote }
}

/// `CONFIG GET parameter [parameter ...]`
pub struct Get;

impl Command for Get {
    const SPEC: Spec = Spec {
        name: "config|get",
        summary: "Answers the values of directives, by name or pattern.",
        complexity: "O(N) for N names and patterns",
        syntax: "parameter...",
        arity: Arity(-3),
        ..CONFIG
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(
        patterns: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let found = ctx.node.config.get(patterns);
        reply.map(found.len());
        for (name, value) in &found {
            reply.bulk(name);
            reply.bulk(value);
        }
        Ok(())
    }
}

/// `CONFIG SET parameter value [parameter value ...]`
pub struct Set;

impl Command for Set {
    const SPEC: Spec = Spec {
        name: "config|set",
        summary: "Changes directives, all of them or none.",
        complexity: "O(N) for N directives",
        syntax: "(data: parameter value)...",
        arity: Arity(-4),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        tips: ALL_NODES,
        ..CONFIG
    };

    type Args<'a> = Vec<(&'a [u8], &'a [u8])>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        if !args.left().is_multiple_of(2) {
            return Err(ReplyError::Syntax);
        }
        Ok(args.rest().chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    fn execute(
        pairs: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let origin = origin(ctx);
        let before = ctx.node.config.clone();
        let set = ctx.node.config.set(&pairs, origin);
        let changed = match set.and_then(|changed| ask_world(ctx, &before, changed)) {
            Ok(changed) => changed,
            Err(error) => {
                ctx.node.config = before;
                reply.error_text(&error.text());
                return Ok(());
            }
        };
        if changed.has("latency-tracking") {
            let tracks = ctx.node.config.latency_tracking;
            ctx.node.commands.set_latency_tracking(tracks);
        }
        ctx.node.configure(ctx.keyspace);
        if ctx.node.shard == ShardId(0) {
            say_what_does_not_act(&pairs, ctx);
        }
        // Who came in while there was a password to prove need not prove it any more.
        if changed.has("requirepass") && ctx.node.config.requirepass.is_none() {
            ctx.sessions.iter_mut().for_each(|session| session.authenticated = true);
        }
        reply.ok();
        Ok(())
    }
}

/// A line in the log for each directive that nothing acts on, whatever it was set to: the words of the
/// start. Every shard sets it, and one says it.
fn say_what_does_not_act(pairs: &[(&[u8], &[u8])], ctx: &mut Ctx<'_>) {
    let rows = pairs.iter().filter_map(|(name, _)| table::find(name));
    for (_, row) in rows.filter(|(_, row)| !row.acts) {
        ctx.node.orders.push(Order::Log(LogLevel::Warning, row.inert_line()));
    }
}

/// Has the system do what a change asks of it, and keeps what it made of that.
fn ask_world(ctx: &mut Ctx<'_>, before: &Config, changed: Changed) -> Result<Changed, ConfigError> {
    let world = &ctx.node.facts.world;
    let config = &mut ctx.node.config;
    let refused = |name: &str, reason| ConfigError::Refused { name: name.into(), reason };
    if changed.has("maxclients") {
        let fits = (world.clients_max)(config.maxclients);
        if fits < config.maxclients {
            return Err(refused(
                "maxclients",
                format!(
                    "The operating system is not able to handle the specified number of clients, try with {fits}"
                ),
            ));
        }
    }
    if changed.has("jemalloc-bg-thread") {
        (world.allocator_thread)(config.allocator_thread);
    }
    if changed.has("dir") {
        let entered = (world.enter_dir)(&before.dir, &config.dir);
        config.settle("dir", &entered.map_err(|reason| refused("dir", reason))?)?;
    }
    Ok(changed)
}

/// `CONFIG RESETSTAT`
pub struct ResetStat;

impl Command for ResetStat {
    const SPEC: Spec = Spec {
        name: "config|resetstat",
        summary: "Starts the statistics of INFO again.",
        arity: Arity(2),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::AllSucceeded,
        tips: ALL_NODES,
        ..CONFIG
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.node.counters = Counters::default();
        ctx.node.rates = Rates::default();
        ctx.node.commands.reset();
        ctx.node.errors = ErrorStats::default();
        ctx.keyspace.stats = KeyspaceStats::default();
        reply.ok();
        Ok(())
    }
}

/// `CONFIG REWRITE`
pub struct Rewrite;

impl Command for Rewrite {
    const SPEC: Spec = Spec {
        name: "config|rewrite",
        summary: "Writes the configuration in force into the file it came from.",
        since: "2.8.0",
        arity: Arity(2),
        tips: ALL_NODES,
        ..CONFIG
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let facts = &ctx.node.facts;
        if facts.config_file.is_empty() {
            return Err(ReplyError::Text("ERR The server is running without a config file"));
        }
        match (facts.world.rewrite_config)(&facts.config_file, &ctx.node.config) {
            Ok(()) => reply.ok(),
            Err(reason) => {
                reply.error_text(format!("ERR Rewriting config file: {reason}").as_bytes());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    #[test]
    fn the_log_names_what_was_set_and_does_not_act_whatever_it_was_set_to() {
        let mut bench = Bench::new();
        let line = |name: &str| {
            format!("order: Log(Warning, \"directive '{name}' is accepted and not acting yet\")")
        };
        let one = line("activedefrag");
        for value in ["yes", "no", "no"] {
            assert_eq!(
                bench.run(&format!("CONFIG SET activedefrag {value} hz 20")),
                format!("OK\n{one}")
            );
        }
        let two = bench.run("CONFIG SET slave-priority 5 activedefrag no");
        assert_eq!(two, format!("OK\n{}\n{one}", line("replica-priority")));
        assert_eq!(bench.run("CONFIG SET hz 10"), "OK");
        let refused = bench.run("CONFIG SET activedefrag maybe");
        assert!(refused.starts_with("(error)") && !refused.contains("order"), "{refused}");
    }
}
