//! The client's own affairs: who it is, how it is spoken to, and whether it is there.

mod auth;
mod client;
mod hello;
mod ping;
mod quit;
mod select;

use stoa_command::{Arity, Category, Flags, Group, Spec};
use stoa_engine::{Entry, entry};

use crate::container::{container, help};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<auth::Auth>(),
    entry::<hello::Hello>(),
    entry::<ping::Ping>(),
    entry::<ping::Echo>(),
    entry::<quit::Quit>(),
    entry::<quit::Reset>(),
    entry::<select::Select>(),
    container(CLIENT),
    help(CLIENT_HELP),
    entry::<client::id::Id>(),
    entry::<client::name::GetName>(),
    entry::<client::name::SetName>(),
    entry::<client::name::SetInfo>(),
    entry::<client::kill::Kill>(),
    entry::<client::list::Info>(),
    entry::<client::list::List>(),
    entry::<client::pause::Pause>(),
    entry::<client::pause::Unpause>(),
    entry::<client::reply::SetReply>(),
    entry::<client::switches::NoEvict>(),
    entry::<client::switches::NoTouch>(),
    entry::<client::tracking::Tracking>(),
    entry::<client::tracking::Caching>(),
    entry::<client::tracking::GetRedir>(),
    entry::<client::tracking::TrackingInfo>(),
    entry::<client::unblock::Unblock>(),
];

/// What the commands of this group have in common.
const CONNECTION: Spec = Spec {
    group: Group::Connection,
    categories: &[Category::Connection],
    flags: Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE),
    ..Spec::DEFAULT
};

/// The flags of what is answered at any time to anybody.
const ALWAYS: Flags =
    CONNECTION.flags.with(Flags::FAST).with(Flags::NO_AUTH).with(Flags::ALLOW_BUSY);

const CLIENT: Spec = Spec {
    name: "client",
    summary: "Holds the commands about connections.",
    since: "2.4.0",
    group: Group::Connection,
    complexity: "That of the subcommand.",
    arity: Arity(-2),
    ..Spec::DEFAULT
};

const CLIENT_HELP: Spec = Spec {
    name: "client|help",
    summary: "Prints this help.",
    since: "5.0.0",
    arity: Arity(2),
    flags: Flags::LOADING.with(Flags::STALE),
    ..CONNECTION
};
