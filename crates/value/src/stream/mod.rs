//! The stream: an append-only log of entries, with consumer groups.
//!
//! Entries lie in packed blocks of a few kilobytes (see [`block`]), and an ordered map finds the block
//! of an id. Adding writes at the end of the last block; trimming drops whole blocks.

mod block;
mod checked;
mod copying;
mod group;
mod id;
mod lag;
#[cfg(test)]
mod model_test;
mod range;

use std::collections::BTreeMap;

pub use block::{Block, Fields};
pub use group::{Consumer, ConsumerId, Group, Pending};
pub use id::StreamId;
pub use range::{Entry, Range};

/// No block may grow beyond this, and no entry.
const BLOCK_LEN_MAX: usize = 1 << 30;
/// Blocks, pending entries and consumers up to which freeing all at once takes no time worth dividing.
const LIGHT_LEN_MAX: usize = 16;

/// Up to where a block grows: the `stream-node-max-*` directives. 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Bytes.
    pub bytes: usize,
    /// Entries.
    pub entries: usize,
}

/// What a trim removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// The oldest entries, down to this many.
    MaxLen(u64),
    /// Entries before this id.
    MinId(StreamId),
}

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    body: Box<Body>,
    /// Entries that are not deleted.
    len: u64,
}

#[derive(Clone, Debug, Default)]
struct Body {
    blocks: BTreeMap<StreamId, Block>,
    groups: BTreeMap<Box<[u8]>, Group>,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
}

impl Stream {
    /// Entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether its key may go: never by itself. A stream without entries still knows its last id and
    /// its groups.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The first entry's id; `0-0` without entries.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.body.first_id
    }

    /// The greatest id there ever was.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.body.last_id
    }

    /// The greatest id ever deleted, `0-0` if none was.
    #[must_use]
    pub fn max_deleted_id(&self) -> StreamId {
        self.body.max_deleted_id
    }

    /// Entries ever added.
    #[must_use]
    pub fn entries_added(&self) -> u64 {
        self.body.entries_added
    }

    /// Blocks, as XINFO counts the nodes of a tree.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.body.blocks.len()
    }

    /// Sets the greatest id, and what else is said about the past.
    pub fn set_last_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) {
        self.body.last_id = last_id;
        self.body.entries_added = entries_added.unwrap_or(self.body.entries_added);
        self.body.max_deleted_id = max_deleted_id.unwrap_or(self.body.max_deleted_id);
    }

    /// The groups, by name.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<Box<[u8]>, Group> {
        &self.body.groups
    }

    /// Takes a group out, so that it can change while the entries are read.
    pub fn take_group(&mut self, name: &[u8]) -> Option<Group> {
        self.body.groups.remove(name)
    }

    /// Puts a group in, or back.
    pub fn put_group(&mut self, name: &[u8], group: Group) {
        self.body.groups.insert(name.into(), group);
    }

    /// The groups, to be changed.
    pub fn groups_mut(&mut self) -> &mut BTreeMap<Box<[u8]>, Group> {
        &mut self.body.groups
    }

    /// Adds an entry of fields and values, one after the other. `id` is greater than the last one.
    pub fn push(&mut self, id: StreamId, fields: &[&[u8]], limits: BlockLimits) {
        debug_assert!(
            id > self.body.last_id && fields.len().is_multiple_of(2),
            "checked by the command"
        );
        let body = &mut *self.body;
        let added: usize = fields.iter().map(|text| text.len()).sum();
        let last = body.blocks.last_entry().filter(|last| has_room(last.get(), added, limits));
        match last {
            Some(mut last) => {
                let first = *last.key();
                last.get_mut().push(first, id, fields);
            }
            None => {
                let mut block = Block::new(fields);
                block.push(id, id, fields);
                body.blocks.insert(id, block);
            }
        }
        body.last_id = id;
        body.entries_added += 1;
        if self.len == 0 {
            body.first_id = id;
        }
        self.len += 1;
    }

    /// Removes an entry. False if it is not there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let body = &mut *self.body;
        let Some((&first, block)) = body.blocks.range_mut(..=id).next_back() else { return false };
        let found = block.entries(first).find(|entry| entry.id >= id);
        let Some(at) = found.filter(|entry| entry.id == id && !entry.is_deleted).map(|it| it.at)
        else {
            return false;
        };
        if block.live() == 1 {
            body.blocks.remove(&first);
        } else {
            block.delete(&[at]);
        }
        body.max_deleted_id = body.max_deleted_id.max(id);
        self.len -= 1;
        if id == self.body.first_id {
            self.find_first();
        }
        true
    }

    /// Removes old entries; gives how many. `approximate` ones go by whole blocks only, and no more
    /// than `limit` of them (0: no limit).
    pub fn trim(&mut self, trim: Trim, approximate: bool, limit: usize) -> usize {
        let mut removed = 0;
        while let Some(oldest) = self.body.blocks.first_entry() {
            let live = oldest.get().live();
            if matches!(trim, Trim::MaxLen(len) if self.len <= len)
                || (limit > 0 && removed + live as usize > limit)
            {
                break;
            }
            let goes_whole = match trim {
                Trim::MaxLen(len) => self.len - u64::from(live) >= len,
                Trim::MinId(id) => {
                    let (first, block) = (*oldest.key(), oldest.get());
                    block.before(first, block.end()).is_none_or(|last| last.id < id)
                }
            };
            if goes_whole {
                oldest.remove();
                self.len -= u64::from(live);
                removed += live as usize;
                continue;
            }
            if !approximate {
                removed += self.trim_first(trim);
            }
            break;
        }
        if removed > 0 {
            self.find_first();
        }
        removed
    }

    /// Removes entries inside the first block, some of which stay.
    fn trim_first(&mut self, trim: Trim) -> usize {
        let Some(mut oldest) = self.body.blocks.first_entry() else { return 0 };
        let first = *oldest.key();
        let mut places = Vec::new();
        for entry in oldest.get().entries(first) {
            let stays = match trim {
                Trim::MaxLen(len) => self.len - places.len() as u64 <= len,
                Trim::MinId(id) => entry.id >= id,
            };
            if stays {
                break;
            }
            if !entry.is_deleted {
                places.push(entry.at);
            }
        }
        oldest.get_mut().delete(&places);
        self.len -= places.len() as u64;
        places.len()
    }

    fn find_first(&mut self) {
        let first = self.iter().next().map(|entry| entry.id);
        self.body.first_id = first.unwrap_or(StreamId::MIN);
    }

    /// Entries of ids `from..=to`, or backwards.
    #[must_use]
    pub fn range(&self, from: StreamId, to: StreamId, backwards: bool) -> Range<'_> {
        Range::new(&self.body.blocks, from, to, backwards)
    }

    /// All entries in order.
    #[must_use]
    pub fn iter(&self) -> Range<'_> {
        self.range(StreamId::MIN, StreamId::MAX, false)
    }

    /// Whether an entry of this id is there.
    #[must_use]
    pub fn contains(&self, id: StreamId) -> bool {
        self.range(id, id, false).next().is_some()
    }

    /// OBJECT ENCODING's word.
    #[must_use]
    pub const fn encoding(&self) -> &'static str {
        "stream"
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let blocks: usize = self.body.blocks.values().map(|block| block.capacity() + 40).sum();
        size_of::<Body>() + blocks + self.body.groups.values().map(Group::bytes).sum::<usize>()
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            if self.body.blocks.pop_last().is_some() {
                *left -= 1;
                continue;
            }
            let Some(mut group) = self.body.groups.last_entry() else {
                *self = Self::default();
                return false;
            };
            if !group.get_mut().free_some(left) {
                group.remove();
            }
        }
        true
    }

    /// Whether it is dropped in no time.
    #[must_use]
    pub fn is_light(&self) -> bool {
        // Groups are looked at while the sum is small only: there may be very many.
        let mut pieces = self.body.blocks.len();
        let mut groups = self.body.groups.values();
        while pieces <= LIGHT_LEN_MAX {
            let Some(group) = groups.next() else { return true };
            pieces += group.pieces();
        }
        false
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        let (mine, others) = (&*self.body, &*other.body);
        mine.groups == others.groups
            && [mine.last_id, mine.max_deleted_id] == [others.last_id, others.max_deleted_id]
            && mine.entries_added == others.entries_added
            && self.len == other.len
            && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

/// Whether the last block takes an entry of that many bytes more.
fn has_room(block: &Block, added: usize, limits: BlockLimits) -> bool {
    let bytes_max = if limits.bytes == 0 { BLOCK_LEN_MAX } else { limits.bytes.min(BLOCK_LEN_MAX) };
    block.published() + added < bytes_max
        && (limits.entries == 0 || ((block.live() + block.deleted()) as usize) < limits.entries)
}
