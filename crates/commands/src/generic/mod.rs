//! Keys as such: whether they are there, what they are, when they are due, and walks over all.

mod copy;
mod database;
mod del;
pub(crate) mod dump;
mod exists;
mod expire;
pub(crate) mod keys;
mod migrate;
mod object;
mod persist;
#[cfg(test)]
mod properties;
mod randomkey;
mod relocate;
mod rename;
pub(crate) mod restore;
mod scan;
mod sort;
mod ttl;
mod types;

use stoa_engine::{Entry, entry};

pub(crate) use keys::Pattern;

use crate::container::{container, help};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<copy::Copy>(),
    entry::<del::Del>(),
    entry::<dump::Dump>(),
    entry::<exists::Exists>(),
    entry::<expire::Expire>(),
    entry::<expire::ExpireAt>(),
    entry::<ttl::ExpireTime>(),
    entry::<keys::Keys>(),
    entry::<migrate::Migrate>(),
    entry::<relocate::Move>(),
    container(object::OBJECT),
    entry::<object::Encoding>(),
    entry::<object::Freq>(),
    help(object::HELP),
    entry::<object::IdleTime>(),
    entry::<object::RefCount>(),
    entry::<persist::Persist>(),
    entry::<expire::PExpire>(),
    entry::<expire::PExpireAt>(),
    entry::<ttl::PExpireTime>(),
    entry::<ttl::PTtl>(),
    entry::<randomkey::RandomKey>(),
    entry::<rename::Rename>(),
    entry::<rename::RenameNx>(),
    entry::<restore::Restore>(),
    entry::<restore::RestoreAsking>(),
    entry::<scan::Scan>(),
    entry::<sort::Sort>(),
    entry::<sort::SortRo>(),
    entry::<exists::Touch>(),
    entry::<ttl::Ttl>(),
    entry::<types::Type>(),
    entry::<del::Unlink>(),
];
