//! How far a group is behind: counted where it can be, unknown where deletions made holes.
//!
//! A stream counts what was ever added, a group what it has read of that. The two tell the distance
//! only while no entry between them was deleted one by one; trimming, which takes from the front,
//! does no harm.

use super::{Group, Stream, StreamId};

impl Stream {
    /// How many entries were ever added up to `id`, if it can be told.
    #[must_use]
    pub fn entries_upto(&self, id: StreamId) -> Option<u64> {
        let (added, len) = (self.entries_added(), self.len());
        if added == 0 || (len == 0 && id <= self.last_id()) {
            return Some(added);
        }
        let deleted = self.max_deleted_id();
        // It is none of ours yet.
        if id > self.last_id() {
            return None;
        }
        if id == self.last_id() {
            return Some(added);
        }
        let gone = added.saturating_sub(self.len() as u64);
        let is_whole = deleted == StreamId::MIN || deleted < self.first_id();
        match id.cmp(&self.first_id()) {
            std::cmp::Ordering::Less if is_whole => Some(gone),
            std::cmp::Ordering::Equal if is_whole => Some(gone + 1),
            _ => None,
        }
    }

    /// Whether an entry from `id` on was deleted, as far as is remembered.
    #[must_use]
    pub fn has_holes_from(&self, id: StreamId) -> bool {
        let deleted = self.max_deleted_id();
        let len = self.len();
        len > 0 && deleted != StreamId::MIN && self.first_id() <= deleted && id <= deleted
    }

    /// How many entries a group has not read, if it can be told. Below zero when the group was said to
    /// have read more than there ever was.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.entries_added();
        if added == 0 {
            return Some(0);
        }
        let counted = group.entries_read.filter(|_| !self.has_holes_from(group.last_id));
        let read = counted.or_else(|| self.entries_upto(group.last_id))?;
        Some(added.wrapping_sub(read) as i64)
    }

    /// Moves a group on to an entry that it has read.
    pub fn advance(&self, group: &mut Group, id: StreamId) {
        if id <= group.last_id {
            return;
        }
        match group.entries_read {
            Some(read) if !self.has_holes_from(id) => group.entries_read = Some(read + 1),
            _ if self.entries_added() > 0 => group.entries_read = self.entries_upto(id),
            _ => {}
        }
        group.last_id = id;
    }

    /// How many nodes a radix tree of the blocks' first ids would have, as XINFO shows.
    #[must_use]
    pub fn tree_node_count(&self) -> usize {
        let keys: Vec<[u8; 16]> = self
            .body
            .blocks
            .keys()
            .map(|id| (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes())
            .collect();
        if keys.is_empty() { 1 } else { node_count(&keys, 0) }
    }
}

/// Nodes below a prefix of `depth` bytes that all `keys` share: runs of single children are one node.
fn node_count(keys: &[[u8; 16]], depth: usize) -> usize {
    let (first, last) = (&keys[0], &keys[keys.len() - 1]);
    let shared = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
    let run = usize::from(shared > 0);
    if depth + shared == first.len() {
        return run + 1;
    }
    let at = depth + shared;
    let branches = keys.chunk_by(|a, b| a[at] == b[at]);
    run + 1 + branches.map(|keys| node_count(keys, at + 1)).sum::<usize>()
}
