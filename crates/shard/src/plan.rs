//! Where a command goes, read off its spec once at the start so that routing is one look-up.
//!
//! The router knows policies and key positions, never a command's name.

use stoa_command::{BeginSearch, FindKeys, KeyFlags, RequestPolicy, ResponsePolicy, Spec};
use stoa_engine::Table;

/// The way of a command through the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// No keys: runs where the client is.
    Home,
    /// One key, always at this argument: to its owner.
    OneKey(u8),
    /// Keys wherever the specs find them: to their owner, or brought together.
    Keys,
    /// Each owner gets a request with its share of the keys.
    Split(Join),
    /// Every shard runs it.
    AllShards(Join),
    /// Walks the slots in order.
    Walk,
    /// Runs what the client queued.
    Exec,
    /// Each owner notes its share of the keys for the client.
    Watch,
}

/// How answers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// Elements back in the order of the keys.
    ByKey,
    /// Arrays one after the other.
    Concat,
    /// `OK` unless one failed.
    AllSucceeded,
    /// Integers added.
    Sum,
    /// By the command itself.
    Merge,
}

/// The plans of all commands, by index.
pub(crate) fn plans(table: &Table) -> Vec<Plan> {
    table.entries().iter().map(|entry| plan(&entry.spec)).collect()
}

fn plan(spec: &Spec) -> Plan {
    match spec.request {
        RequestPolicy::Keys => match spec.keys {
            [] => Plan::Home,
            // Channels, which are not kept in a shard.
            keys if keys.iter().all(|key| key.flags.has(KeyFlags::NOT_KEY)) => Plan::Home,
            [one] => match (one.begin, one.find) {
                (BeginSearch::Index(at), FindKeys::Range { last: 0, .. }) => Plan::OneKey(at as u8),
                _ => Plan::Keys,
            },
            _ => Plan::Keys,
        },
        RequestPolicy::Split => Plan::Split(join(spec)),
        RequestPolicy::AllShards => Plan::AllShards(join(spec)),
        RequestPolicy::Walk => Plan::Walk,
        RequestPolicy::Exec => Plan::Exec,
        RequestPolicy::Watch => Plan::Watch,
    }
}

fn join(spec: &Spec) -> Join {
    match spec.response {
        ResponsePolicy::ByKey => Join::ByKey,
        ResponsePolicy::Concat => Join::Concat,
        ResponsePolicy::AllSucceeded => Join::AllSucceeded,
        ResponsePolicy::Sum => Join::Sum,
        ResponsePolicy::Merge => Join::Merge,
        ResponsePolicy::Whole => {
            unreachable!("{} goes to several shards and says not how to join", spec.name)
        }
    }
}
