//! Which shard owns a slot.

pub use stoa_stdx::{first_slot, owner_of};
