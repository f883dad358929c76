//! Hashes: fields with values, and deadlines of fields.

mod del;
mod expire;
mod fields;
mod get;
mod getall;
mod incr;
mod rand;
mod scan;
mod set;
mod ttl;

use stoa_command::{Category, Group, KeyFlags, KeySpec, Spec};
use stoa_engine::{Entry, entry};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<del::HDel>(),
    entry::<get::HExists>(),
    entry::<expire::HExpire>(),
    entry::<expire::HExpireAt>(),
    entry::<ttl::HExpireTime>(),
    entry::<get::HGet>(),
    entry::<getall::HGetAll>(),
    entry::<incr::HIncrBy>(),
    entry::<incr::HIncrByFloat>(),
    entry::<getall::HKeys>(),
    entry::<get::HLen>(),
    entry::<get::HMGet>(),
    entry::<set::HMSet>(),
    entry::<expire::HPersist>(),
    entry::<expire::HPExpire>(),
    entry::<expire::HPExpireAt>(),
    entry::<ttl::HPExpireTime>(),
    entry::<ttl::HPTtl>(),
    entry::<rand::HRandField>(),
    entry::<scan::HScan>(),
    entry::<set::HSet>(),
    entry::<set::HSetNx>(),
    entry::<get::HStrLen>(),
    entry::<ttl::HTtl>(),
    entry::<getall::HVals>(),
];

const HASH: Spec = Spec {
    group: Group::Hash,
    since: "2.0.0",
    categories: &[Category::Hash],
    keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
    ..Spec::DEFAULT
};
