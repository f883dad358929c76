//! Copying a consumer group entry by entry.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::super::copying::behind;
use super::{Consumer, ConsumerId, Group, Pending};
use crate::copying::spend;

/// What one of the many small things in a tree counts for.
const ITEM_LEN: usize = 128;

impl Group {
    pub(in super::super) fn copy_begin(&self) -> Self {
        Self {
            last_id: self.last_id,
            entries_read: self.entries_read,
            next: self.next,
            ..Self::default()
        }
    }

    pub(in super::super) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        if copy_map(&self.pending, &mut to.pending, left, Pending::clone)
            || copy_map::<_, [u8], _>(&self.names, &mut to.names, left, ConsumerId::clone)
        {
            return true;
        }
        loop {
            if let Some(mut last) = to.consumers.last_entry() {
                let from = &self.consumers[last.key()].pending;
                let pending = &mut last.get_mut().pending;
                let at = pending.last().map_or(Bound::Unbounded, |id| Bound::Excluded(*id));
                for id in from.range((at, Bound::Unbounded)) {
                    if *left == 0 {
                        return true;
                    }
                    pending.insert(*id);
                    spend(left, ITEM_LEN);
                }
            }
            let Some((id, consumer)) = behind(&self.consumers, &to.consumers).next() else {
                return false;
            };
            if *left == 0 {
                return true;
            }
            let Consumer { ref name, seen_ms, active_ms, .. } = *consumer;
            let name = name.clone();
            spend(left, name.len());
            let pending = BTreeSet::new();
            to.consumers.insert(*id, Consumer { name, seen_ms, active_ms, pending });
        }
    }
}

/// Copies what a copy does not have yet of a map of small things. True when there are more.
fn copy_map<K, B, V>(
    from: &BTreeMap<K, V>,
    to: &mut BTreeMap<K, V>,
    left: &mut usize,
    copy: impl Fn(&V) -> V,
) -> bool
where
    K: Ord + Borrow<B> + Clone,
    B: Ord + ?Sized,
{
    for (key, value) in behind(from, to) {
        if *left == 0 {
            return true;
        }
        to.insert(key.clone(), copy(value));
        spend(left, ITEM_LEN);
    }
    false
}
