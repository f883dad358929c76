//! Channels: who listens, and what is said.
//!
//! A subscription is confirmed once every shard counts it, so that whoever publishes from then on
//! counts it, too. See `stoa_pubsub` for the tables and the shard's `publish` for the way of a message.

mod listeners;
mod publish;
mod subscribe;

use stoa_command::{Arity, Flags, Group, Spec};
use stoa_engine::{Entry, entry};

use crate::container::{container, help};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<subscribe::Subscribe>(),
    entry::<subscribe::Unsubscribe>(),
    entry::<subscribe::PSubscribe>(),
    entry::<subscribe::PUnsubscribe>(),
    entry::<subscribe::SSubscribe>(),
    entry::<subscribe::SUnsubscribe>(),
    entry::<publish::Publish>(),
    entry::<publish::SPublish>(),
    container(PUBSUB),
    help(PUBSUB_HELP),
    entry::<listeners::Channels>(),
    entry::<listeners::NumPat>(),
    entry::<listeners::NumSub>(),
    entry::<listeners::ShardChannels>(),
    entry::<listeners::ShardNumSub>(),
];

/// What the commands of this group have in common.
const CHANNELS: Spec = Spec {
    since: "2.8.0",
    group: Group::PubSub,
    flags: Flags::PUBSUB.with(Flags::LOADING).with(Flags::STALE),
    ..Spec::DEFAULT
};

const PUBSUB: Spec = Spec {
    name: "pubsub",
    summary: "Holds the commands that tell about channels.",
    complexity: "That of the subcommand.",
    arity: Arity(-2),
    flags: Flags::NONE,
    ..CHANNELS
};

const PUBSUB_HELP: Spec = Spec {
    name: "pubsub|help",
    summary: "Prints this help.",
    since: "6.2.0",
    arity: Arity(2),
    flags: Flags::LOADING.with(Flags::STALE),
    ..CHANNELS
};
