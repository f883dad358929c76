//! Which shard owns a slot: contiguous ranges, so that a walk over the slots visits each shard once.

use crate::{SLOT_COUNT, ShardId, SlotId};

/// The owner of `slot` among `shards`.
#[must_use]
#[inline]
pub const fn owner_of(slot: SlotId, shards: u16) -> ShardId {
    ShardId(((slot.0 as u32 * shards as u32) >> SLOT_COUNT.trailing_zeros()) as u16)
}

/// The first slot of a shard; of the number of shards: the end of all slots.
#[must_use]
pub const fn first_slot(shard: u16, shards: u16) -> usize {
    (shard as usize * SLOT_COUNT).div_ceil(shards as usize)
}

#[cfg(test)]
mod tests {
    use super::{first_slot, owner_of};
    use crate::{SLOT_COUNT, SlotId};

    #[test]
    fn ranges_and_owners_agree_for_any_number_of_shards() {
        for shards in [1, 2, 3, 5, 7, 16, 100] {
            for shard in 0..shards {
                for slot in first_slot(shard, shards)..first_slot(shard + 1, shards) {
                    assert_eq!(
                        owner_of(SlotId(slot as u16), shards).0,
                        shard,
                        "{slot} of {shards}"
                    );
                }
            }
            assert_eq!(first_slot(shards, shards), SLOT_COUNT);
        }
    }
}
