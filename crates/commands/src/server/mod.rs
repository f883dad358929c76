//! The group `server`.

use stoa_engine::Entry;

/// The group's list.
pub const COMMANDS: &[Entry] = &[];
