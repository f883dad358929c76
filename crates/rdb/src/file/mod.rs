//! Whole RDB files: a keyspace, with its functions, as bytes that go by.
//!
//! ```text
//! REDIS0012 | notes | libraries | database, its sizes, its keys | ... | end | checksum
//! key:  deadline? | idle time or frequency? | kind | name | value
//! ```
//!
//! Both sides are state machines without files: a [`FileWriter`] is told what to write and its bytes are
//! taken away as they come; a [`FileReader`] is fed bytes in any pieces and gives [`Record`]s. Neither
//! ever holds the file. A writer holds what was not taken yet; a large value is written in portions, so
//! that is little. A reader holds what it was fed and could not use yet, which is at most one element
//! that is not whole, and the value under construction; it reserves nothing for what a length announces
//! before the bytes have come.
//!
//! Read are versions 1 to 13 and, from Valkey, 80 and 81, as far as the kinds in them are known here;
//! written are 10, 11 and 12, those of Redis 7.0, 7.2 and 7.4: the oldest
//! that holds what there is, so that as many servers as can load a file do.

mod fault;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use fault::{Fault, Wrong};
pub use read::{FileReader, KeyRecord, Record};
pub use write::{FileWriter, KeyHead};

/// Marks that stand where a kind may stand.
mod opcode {
    /// Sizes of a slot of a cluster.
    pub(super) const SLOT_INFO: u8 = 244;
    /// A library of functions.
    pub(super) const FUNCTION2: u8 = 245;
    /// The same, as candidates of 7.0 wrote it.
    pub(super) const FUNCTION_EARLY: u8 = 246;
    /// What a module keeps beside the keys.
    pub(super) const MODULE_AUX: u8 = 247;
    /// Seconds since the next key was used.
    pub(super) const IDLE: u8 = 248;
    /// How often the next key is used.
    pub(super) const FREQ: u8 = 249;
    /// A note of the writer.
    pub(super) const AUX: u8 = 250;
    /// Sizes of the database.
    pub(super) const RESIZE_DB: u8 = 251;
    /// When the next key is due, in milliseconds.
    pub(super) const EXPIRES_MS: u8 = 252;
    /// The same in seconds.
    pub(super) const EXPIRES_S: u8 = 253;
    /// Which database the next keys are in.
    pub(super) const SELECT_DB: u8 = 254;
    /// The end.
    pub(super) const END: u8 = 255;
    /// A value of a module, as candidates of 4.0 wrote it.
    pub(super) const MODULE_EARLY: u8 = 6;
    /// A value of a module.
    pub(super) const MODULE: u8 = 7;
}
