//! The group `bitmap`.

use stoa_engine::Entry;

/// The group's list.
pub const COMMANDS: &[Entry] = &[];
