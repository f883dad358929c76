//! Sets: distinct members, alone and against other sets.

mod add;
mod combine;
mod has;
mod intercard;
mod members;
mod pop;
mod relay;
mod rem;
mod scan;

use stoa_command::{Category, Group, KeyFlags, KeySpec, Spec};
use stoa_engine::{Entry, entry};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<add::SAdd>(),
    entry::<members::SCard>(),
    entry::<combine::SDiff>(),
    entry::<combine::SDiffStore>(),
    entry::<combine::SInter>(),
    entry::<intercard::SInterCard>(),
    entry::<combine::SInterStore>(),
    entry::<has::SIsMember>(),
    entry::<members::SMembers>(),
    entry::<has::SMIsMember>(),
    entry::<relay::SMove>(),
    entry::<pop::SPop>(),
    entry::<pop::SRandMember>(),
    entry::<rem::SRem>(),
    entry::<scan::SScan>(),
    entry::<combine::SUnion>(),
    entry::<combine::SUnionStore>(),
];

const SET: Spec = Spec {
    group: Group::Set,
    categories: &[Category::Set],
    keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
    ..Spec::DEFAULT
};
