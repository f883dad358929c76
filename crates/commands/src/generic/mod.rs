//! Keys as such: whether they are there, what they are, when they are due, and walks over all.

mod del;
mod exists;
mod expire;
mod keys;
mod persist;
mod randomkey;
mod scan;
mod ttl;
mod types;

use stoa_engine::{Entry, entry};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<del::Del>(),
    entry::<exists::Exists>(),
    entry::<expire::Expire>(),
    entry::<expire::ExpireAt>(),
    entry::<ttl::ExpireTime>(),
    entry::<keys::Keys>(),
    entry::<persist::Persist>(),
    entry::<expire::PExpire>(),
    entry::<expire::PExpireAt>(),
    entry::<ttl::PExpireTime>(),
    entry::<ttl::PTtl>(),
    entry::<randomkey::RandomKey>(),
    entry::<scan::Scan>(),
    entry::<exists::Touch>(),
    entry::<ttl::Ttl>(),
    entry::<types::Type>(),
    entry::<del::Unlink>(),
];
