//! CONFIG: reads and changes the configuration while the server runs.
//!
//! Every shard has its copy and applies the same change to it: all of them started equal and see
//! the same requests, so they come to the same verdict and stay equal.

use stoa_command::{Args, Arity, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec};
use stoa_config::Origin;
use stoa_engine::{Command, Ctx, Reply, heeds};
use stoa_keyspace::KeyspaceStats;
use stoa_observability::{Counters, ErrorStats};

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
        let changed = match ctx.node.config.set(&pairs, origin) {
            Ok(changed) => changed,
            Err(error) => {
                reply.error_text(&error.text());
                return Ok(());
            }
        };
        if changed.has("latency-tracking") {
            let tracks = ctx.node.config.latency_tracking;
            ctx.node.commands.set_latency_tracking(tracks);
        }
        if changed.has("notify-keyspace-events") {
            ctx.keyspace.notices.heeds = heeds(&ctx.node.config);
        }
        // Who came in while there was a password to prove need not prove it any more.
        if changed.has("requirepass") && ctx.node.config.requirepass.is_none() {
            ctx.sessions.iter_mut().for_each(|session| session.authenticated = true);
        }
        reply.ok();
        Ok(())
    }
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
