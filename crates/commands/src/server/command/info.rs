//! COMMAND INFO: arity, flags, keys and categories of commands, in the reference's ten fields.

use stoa_command::{Args, BeginSearch, FindKeys, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply, Table};

use super::OF_NAMES;

/// `COMMAND INFO [command-name ...]`
pub struct Info;

impl Command for Info {
    const SPEC: Spec = Spec {
        name: "command|info",
        summary: "Describes some commands, or all.",
        since: "2.8.13",
        ..OF_NAMES
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(
        names: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let table = ctx.node.table;
        if names.is_empty() {
            all(table, reply);
            return Ok(());
        }
        reply.array(names.len());
        for name in names {
            match table.find_full(name) {
                Some(index) => one(table, index, reply),
                None => reply.null_array(),
            }
        }
        Ok(())
    }
}

/// Every command with its subcommands.
pub(super) fn all(table: &Table, reply: &mut dyn Reply) {
    let tops = || table.entries().iter().enumerate().filter(|(_, e)| e.spec.parent().is_none());
    reply.array(tops().count());
    tops().for_each(|(index, _)| one(table, index as u16, reply));
}

fn one(table: &Table, index: u16, reply: &mut dyn Reply) {
    let spec = &table.at(index).spec;
    let (first, last, step) = legacy_range(spec.keys);
    reply.array(10);
    reply.bulk(spec.name.as_bytes());
    reply.int(i64::from(spec.arity.0));
    let mut flags: Vec<&str> = spec.flags.names().filter(|name| !name.is_empty()).collect();
    if keys_move(spec.keys) && !flags.contains(&"movablekeys") {
        flags.push("movablekeys");
    }
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
    reply.int(first as i64);
    reply.int(i64::from(last));
    reply.int(step as i64);
    reply.set(spec.categories().count());
    spec.categories().for_each(|category| reply.simple(&format!("@{}", category.name())));
    reply.array(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.array(spec.keys.len());
    spec.keys.iter().for_each(|keys| key_spec(keys, reply));
    reply.array(table.children(index).count());
    for child in table.children(index) {
        let child = table.find_full(child.spec.name.as_bytes()).expect("a child of this table");
        one(table, child, reply);
    }
}

/// First key, last key and step, as they were told before key specs: the keys that stand in one
/// plain row from the front.
fn legacy_range(specs: &[KeySpec]) -> (usize, i32, usize) {
    if let [one] = specs
        && let (BeginSearch::Index(first), FindKeys::Range { last, step, .. }) =
            (one.begin, one.find)
    {
        let last = if last >= 0 { first as i32 + last } else { last };
        return (first, last, step);
    }
    let mut range: Option<(usize, i32)> = None;
    for (first, last) in specs.iter().filter_map(plain_range) {
        range = match range {
            None => Some((first, last)),
            Some((start, end)) if end >= 0 && end + 1 == first as i32 => Some((start, last)),
            Some(_) => range,
        };
    }
    range.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

/// A spec's first and last position, if all arguments between them are keys.
fn plain_range(spec: &KeySpec) -> Option<(usize, i32)> {
    match (spec.begin, spec.find) {
        (BeginSearch::Index(first), FindKeys::Range { last, step: 1, .. }) => {
            Some((first, if last >= 0 { first as i32 + last } else { last }))
        }
        _ => None,
    }
}

/// Whether a client that only knows the plain row would miss keys.
fn keys_move(specs: &[KeySpec]) -> bool {
    let plain = |spec: &KeySpec| match (spec.begin, spec.find) {
        (BeginSearch::Index(_), FindKeys::Range { step, .. }) => step == 1 || specs.len() == 1,
        _ => false,
    };
    let gap = specs.windows(2).any(|two| match (plain_range(&two[0]), plain_range(&two[1])) {
        (Some((_, last)), Some((first, _))) => last + 1 != first as i32,
        _ => false,
    });
    !specs.iter().all(plain) || gap
}

fn key_spec(spec: &KeySpec, reply: &mut dyn Reply) {
    reply.map(3);
    reply.bulk(b"flags");
    flags(spec.flags, reply);
    reply.bulk(b"begin_search");
    match spec.begin {
        BeginSearch::Index(index) => {
            typed("index", &[("index", index as i64)], reply);
        }
        BeginSearch::Keyword(word, from) => {
            reply.map(2);
            pair("type", "keyword", reply);
            reply.bulk(b"spec");
            reply.map(2);
            pair("keyword", word, reply);
            reply.bulk(b"startfrom");
            reply.int(i64::from(from));
        }
        BeginSearch::Unknown => typed("unknown", &[], reply),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        FindKeys::Range { last, step, limit } => typed(
            "range",
            &[("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", limit as i64)],
            reply,
        ),
        FindKeys::Count { num, first, step } => typed(
            "keynum",
            &[("keynumidx", num as i64), ("firstkey", first as i64), ("keystep", step as i64)],
            reply,
        ),
        FindKeys::Unknown => typed("unknown", &[], reply),
    }
}

/// What is done with keys, as words.
pub(super) fn flags(flags: KeyFlags, reply: &mut dyn Reply) {
    reply.set(flags.names().count());
    flags.names().for_each(|flag| reply.simple(flag));
}

fn typed(name: &str, fields: &[(&str, i64)], reply: &mut dyn Reply) {
    reply.map(2);
    pair("type", name, reply);
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (field, value) in fields {
        reply.bulk(field.as_bytes());
        reply.int(*value);
    }
}

fn pair(field: &str, value: &str, reply: &mut dyn Reply) {
    reply.bulk(field.as_bytes());
    reply.bulk(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use stoa_command::{RequestPolicy, ResponsePolicy, Spec};

    /// What the published tips of a command must say, by how it is really routed.
    fn routing_contradicts(spec: &Spec) -> bool {
        let has = |tip: &str| spec.tips.contains(&tip);
        match (spec.request, spec.response) {
            (RequestPolicy::Split, _) => !has("request_policy:multi_shard"),
            (RequestPolicy::AllShards, ResponsePolicy::Sum) => {
                has("request_policy:all_shards") && !has("response_policy:agg_sum")
            }
            _ => false,
        }
    }

    #[test]
    fn what_is_published_about_routing_is_how_it_is_routed() {
        for entry in crate::table().entries() {
            assert!(!routing_contradicts(&entry.spec), "{}", entry.spec.name);
        }
    }
}
