//! DEBUG TRACE: what all shards saw of the requests that were followed, put together by number.

use std::collections::BTreeMap;

use stoa_engine::{Reply, Sample, Stage};

/// Writes each request as a map, with its stages as `[stage, shard, nanoseconds since its bytes came]`.
/// What has no beginning any more is left out: its first shard has forgotten it.
pub fn print(samples: Vec<Sample>, reply: &mut dyn Reply) {
    let mut parts: BTreeMap<u32, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        parts.entry(sample.id).or_default().push(sample);
    }
    let is_home = |sample: &&Sample| sample.client != 0;
    let whole = |parts: &Vec<Sample>| parts.iter().find(is_home).is_some();
    parts.retain(|_, parts| whole(parts));
    reply.array(parts.len());
    for parts in parts.values() {
        let Some(home) = parts.iter().find(is_home) else { continue };
        reply.map(5);
        reply.bulk(b"id");
        reply.int(i64::from(home.id));
        reply.bulk(b"client");
        reply.int(home.client.cast_signed());
        reply.bulk(b"shard");
        reply.int(i64::from(home.shard.0));
        reply.bulk(b"command");
        reply.bulk(home.command.as_bytes());
        reply.bulk(b"stages");
        stages(parts, reply);
    }
}

fn stages(parts: &[Sample], reply: &mut dyn Reply) {
    let mut all: Vec<_> = parts
        .iter()
        .flat_map(|part| part.marks.iter().map(|(stage, at)| (*at, *stage, part.shard)))
        .collect();
    // Stages of one moment stand in the order of the way.
    all.sort_by_key(|(at, stage, _)| (*stage != Stage::Client, *at, *stage));
    let since = all.first().map_or(0, |(at, ..)| at.0);
    reply.array(all.len());
    for (at, stage, shard) in all {
        reply.array(3);
        reply.bulk(stage.name().as_bytes());
        reply.int(i64::from(shard.0));
        reply.int(at.0.saturating_sub(since).cast_signed());
    }
}
