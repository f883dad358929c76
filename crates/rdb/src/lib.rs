//! Values as RDB bytes, and back: what DUMP answers and RESTORE takes, and what snapshots are made of.
//!
//! Pure: bytes in, values out. Writing follows what lies in memory: a packed value goes out as it is, in
//! the layouts of Redis 7.4. Reading trusts nothing. Every layout since the first is read, each length is
//! held against the bytes that are there before anything is allocated for it, and each element goes into
//! its value the way a command would put it, so no layout from outside ever becomes one of ours. That
//! costs a few times what adopting the bytes would, and a damaged payload can do no more than be refused.
//!
//! A value takes at most some sixteen times the bytes of its payload, compressed text counted as what it
//! unpacks to; a stream of nothing but empty groups takes twice that.

mod file;
mod kind;
mod listpack;
mod load;
mod lzf;
mod payload;
mod read;
mod write;
mod ziplist;
mod zipmap;

pub use file::{Fault, FileReader, FileWriter, KeyHead, KeyRecord, Record, Wrong};
pub use kind::Kind;
pub use load::{Loaded, load};
pub use payload::{Dumping, Refusal, dump, restore};
pub use read::{Damaged, Reader};
pub use write::{Portions, ValueRef, Writer};

/// The version of the format that Redis 7.4 writes, the last that RESTORE takes.
pub const VERSION: u16 = 12;
/// The oldest version that is written, that of Redis 7.0.
pub const VERSION_MIN: u16 = 10;
/// The first version that knows when consumers of streams were active, and small sets as they lie.
const VERSION_OF_7_2: u16 = 11;
