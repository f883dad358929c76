//! The ground everything else stands on: units and ids as types, seeded chance, key hashing, numbers,
//! glob patterns.
//!
//! Pure: no clock, no thread, no file. Time and chance are arguments everywhere above, and these
//! are the types they come in.

mod crc16;
mod crc64;
mod double;
mod extended;
mod glob;
mod grisu;
mod hash;
mod lend;
mod number;
mod owner;
mod rng;
mod units;

pub use crc64::{Crc64, crc64};
pub use double::{write_double, write_shortest};
pub use extended::Extended;
pub use glob::glob_match;
pub use hash::{HashSeed, Key, SLOT_COUNT, SlotId, key_slot};
pub use lend::{Lender, Loan};
pub use number::{c_double, format_double, general, parse_double, parse_int};
pub use owner::{first_slot, owner_of};
pub use rng::Rng;
pub use units::{ConnId, DbIndex, MonoMs, MonoNs, ShardId, UnixMs};
