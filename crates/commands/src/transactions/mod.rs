//! Several commands as one: queued, then run with nothing in between, unless a watched key changed.

mod exec;
mod multi;
mod watch;

use stoa_command::{Category, Flags, Group, Spec};
use stoa_engine::{Entry, entry};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<multi::MultiCommand>(),
    entry::<exec::Exec>(),
    entry::<exec::Discard>(),
    entry::<watch::Watch>(),
    entry::<watch::Unwatch>(),
];

/// What the commands of this group have in common.
const TRANSACTION: Spec = Spec {
    group: Group::Transactions,
    categories: &[Category::Transaction],
    flags: Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE),
    ..Spec::DEFAULT
};
