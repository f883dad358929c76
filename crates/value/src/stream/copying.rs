//! Copying a stream: block by block, then group by group, what is pending entry by entry.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Body, Stream};
use crate::copying::spend;

impl Stream {
    /// A stream without entries and groups, which [`Stream::copy_some`] fills.
    pub(crate) fn copy_begin(&self) -> Self {
        let Body { first_id, last_id, max_deleted_id, entries_added, .. } = *self.body;
        let (blocks, groups) = (BTreeMap::new(), BTreeMap::new());
        let body = Body { blocks, groups, first_id, last_id, max_deleted_id, entries_added };
        Self { body: Box::new(body), len: self.len }
    }

    /// Copies about `left` bytes. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, _: &mut u64, left: &mut usize) -> bool {
        let (from, to) = (&*self.body, &mut *to.body);
        for (id, block) in behind(&from.blocks, &to.blocks) {
            if *left == 0 {
                return true;
            }
            to.blocks.insert(*id, block.clone());
            spend(left, block.capacity());
        }
        loop {
            if let Some(mut last) = to.groups.last_entry() {
                let group = &from.groups[last.key()];
                if group.copy_some(last.get_mut(), left) {
                    return true;
                }
            }
            let Some((name, group)) = behind::<_, [u8], _>(&from.groups, &to.groups).next() else {
                return false;
            };
            to.groups.insert(name.clone(), group.copy_begin());
        }
    }
}

/// What of a map stands behind the last key that its copy has.
pub(super) fn behind<'m, K, B, V>(
    from: &'m BTreeMap<K, V>,
    to: &BTreeMap<K, V>,
) -> impl Iterator<Item = (&'m K, &'m V)> + use<'m, K, B, V>
where
    K: Ord + Borrow<B>,
    B: Ord + ?Sized,
{
    let last = to.last_key_value().map(|(key, _)| key.borrow());
    from.range::<B, _>((last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
}
