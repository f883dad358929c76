//! Strings: bytes, and numbers that print to them.

mod get;
mod set;

use stoa_engine::{Entry, entry};

/// The group's list.
pub const COMMANDS: &[Entry] = &[entry::<get::Get>(), entry::<set::Set>()];
