//! Sections with a line for each command, error, database or shard.

use super::Section::{Cluster, Commandstats, Errorstats, Keyspace, Latencystats, Shards};
use super::{Field, FieldValue, InfoInputs, Value};
use crate::CommandStat;

pub(super) const FIELDS: &[Field] = &[
    Field {
        section: Commandstats,
        name: "cmdstat_",
        doc: "A command: calls, microseconds in all and a call, calls refused before and failed \
              while running",
        value: Value::Rows(commandstats),
    },
    Field {
        section: Errorstats,
        name: "errorstat_",
        doc: "Error replies by their first word",
        value: Value::Rows(|inputs| {
            inputs.errors.iter().map(|(word, count)| (word, format!("count={count}"))).collect()
        }),
    },
    Field {
        section: Latencystats,
        name: "latency_percentiles_usec_",
        doc: "A command: microseconds that a share of its calls did not exceed",
        value: Value::Rows(latencystats),
    },
    Field {
        section: Cluster,
        name: "cluster_enabled",
        doc: "Whether cluster mode is on",
        value: Value::One(|inputs| FieldValue::Flag(inputs.cluster_enabled)),
    },
    Field {
        section: Keyspace,
        name: "db",
        doc: "A database that has keys: keys, keys with a deadline, their mean time left in \
              milliseconds, hashes with fields that have one",
        value: Value::Rows(keyspace),
    },
    Field {
        section: Shards,
        name: "shard",
        doc: "A shard: its core, keys, connections, bytes, commands (and those for other shards' \
              connections), messages waiting, passes with work and how long they took",
        value: Value::Rows(shards),
    },
];

/// Rows of commands that were called or refused, by name: INFO of a fresh server has none.
fn touched(inputs: &InfoInputs) -> impl Iterator<Item = (&String, &CommandStat)> {
    let rows = inputs.command_names.iter().zip(inputs.commands.iter());
    rows.filter(|(_, stat)| !stat.is_untouched())
}

fn commandstats(inputs: &InfoInputs) -> Vec<(String, String)> {
    let row = |(name, stat): (&String, &CommandStat)| {
        let CommandStat { calls, rejected_calls, failed_calls, .. } = stat;
        let us = stat.sum_ns / 1_000;
        let us_per_call = super::ratio(stat.sum_ns, *calls) / 1e3;
        let value = format!(
            "calls={calls},usec={us},usec_per_call={us_per_call:.2},\
             rejected_calls={rejected_calls},failed_calls={failed_calls}"
        );
        (name.clone(), value)
    };
    touched(inputs).map(row).collect()
}

fn latencystats(inputs: &InfoInputs) -> Vec<(String, String)> {
    // What was kept before tracking was switched off is not shown either, as in Redis.
    let shown = touched(inputs).filter(|_| inputs.commands.tracks_latency());
    let rows = shown.filter_map(|(name, stat)| Some((name, stat.latency()?)));
    rows.map(|(name, latency)| {
        let point = |percentile: &f64| {
            let us = latency.quantile_ns(percentile / 100.0) as f64 / 1e3;
            format!("p{percentile}={us:.3}")
        };
        let points: Vec<_> = inputs.latency_percentiles.iter().map(point).collect();
        (name.clone(), points.join(","))
    })
    .collect()
}

fn keyspace(inputs: &InfoInputs) -> Vec<(String, String)> {
    let with_keys = inputs.dbs.iter().enumerate().filter(|(_, db)| db.keys > 0);
    with_keys
        .map(|(number, db)| {
            let value = format!(
                "keys={},expires={},avg_ttl={},subexpiry={}",
                db.keys, db.expires, db.avg_ttl_ms, db.subexpiry
            );
            (number.to_string(), value)
        })
        .collect()
}

fn shards(inputs: &InfoInputs) -> Vec<(String, String)> {
    let row = |(number, shard): (usize, &super::ShardFacts)| {
        let core = shard.core.map_or_else(|| "none".to_owned(), |core| core.to_string());
        let value = format!(
            "core={core},keys={},clients={},used_memory={},commands={},commands_for_others={},\
             mailbox_len={},passes={},pass_usec_p99.9={},pass_usec_max={}",
            shard.keys,
            shard.clients,
            shard.used_bytes,
            shard.commands,
            shard.commands_for_others,
            shard.mailbox_len,
            shard.passes,
            shard.pass_ns_p999 / 1_000,
            shard.pass_ns_max / 1_000,
        );
        (number.to_string(), value)
    };
    inputs.shards.iter().enumerate().map(row).collect()
}
