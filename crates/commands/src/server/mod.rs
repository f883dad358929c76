//! The server's own affairs: what it can do, how it is set up, how it stands.

mod command;
mod config;
mod dbsize;
mod debug;
mod flush;
mod info;
mod lolwut;
mod memory;
mod role;
mod shutdown;
mod swapdb;
mod time;

use stoa_command::{Arity, Flags, Group, Spec};
use stoa_engine::{Entry, entry};

use crate::container::{container, help};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<command::CommandAll>(),
    entry::<command::count::Count>(),
    entry::<command::docs::Docs>(),
    entry::<command::getkeys::GetKeys>(),
    entry::<command::getkeys::GetKeysAndFlags>(),
    help(command::HELP),
    entry::<command::info::Info>(),
    entry::<command::list::List>(),
    container(CONFIG),
    entry::<config::Get>(),
    help(CONFIG_HELP),
    entry::<config::ResetStat>(),
    entry::<config::Rewrite>(),
    entry::<config::Set>(),
    entry::<dbsize::DbSize>(),
    entry::<flush::FlushAll>(),
    entry::<flush::FlushDb>(),
    entry::<debug::Debug>(),
    entry::<info::Info>(),
    entry::<lolwut::Lolwut>(),
    container(MEMORY),
    entry::<memory::Doctor>(),
    help(MEMORY_HELP),
    entry::<memory::MallocStats>(),
    entry::<memory::Purge>(),
    entry::<memory::Stats>(),
    entry::<memory::Usage>(),
    entry::<role::Role>(),
    entry::<shutdown::Shutdown>(),
    entry::<swapdb::SwapDb>(),
    entry::<time::Time>(),
];

/// The flags of most of what operators use.
const ADMIN: Flags = Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE);

/// The tips of what a client should send to every node of a cluster.
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// The row of a container of this group.
const fn holder(name: &'static str, summary: &'static str, since: &'static str) -> Spec {
    Spec {
        name,
        summary,
        since,
        group: Group::Server,
        complexity: "That of the subcommand.",
        arity: Arity(-2),
        ..Spec::DEFAULT
    }
}

/// The row of a container's HELP.
const fn help_of(name: &'static str, since: &'static str) -> Spec {
    Spec {
        name,
        summary: "Prints this help.",
        since,
        group: Group::Server,
        arity: Arity(2),
        flags: Flags::LOADING.with(Flags::STALE),
        ..Spec::DEFAULT
    }
}

const CONFIG: Spec = holder("config", "Holds the commands about the configuration.", "2.0.0");
const CONFIG_HELP: Spec = help_of("config|help", "5.0.0");
const MEMORY: Spec = holder("memory", "Holds the commands about memory.", "4.0.0");
const MEMORY_HELP: Spec = help_of("memory|help", "4.0.0");
