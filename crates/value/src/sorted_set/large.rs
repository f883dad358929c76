//! A large sorted set: records, a table from members to them, a tree of scores over them.

use stoa_stdx::HashSeed;

use super::index::Index;
use super::records::{Handle, Records};
use super::tree::{Item, Tree};

/// Members and blocks of their records up to which dropping all at once takes no time worth dividing.
const LIGHT_LEN_MAX: usize = 512;
const LIGHT_BLOCKS_MAX: usize = 16;

#[derive(Clone)]
pub(super) struct Large {
    pub(super) records: Records,
    pub(super) tree: Tree,
    index: Index,
}

impl Large {
    pub(super) fn new(seed: HashSeed) -> Self {
        Self { records: Records::new(), tree: Tree::new(), index: Index::new(seed) }
    }

    pub(super) const fn len(&self) -> usize {
        self.tree.len()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        Some(self.records.score(self.index.find(member, &self.records)?))
    }

    /// Sets a member's score, and gives the one it had.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let Some(handle) = self.index.find(member, &self.records) else {
            self.insert_new(member, score);
            return None;
        };
        let old = self.records.score(handle);
        if old != score {
            let Self { records, tree, .. } = self;
            tree.remove(|item| is_upto(item, old, handle, member, records));
            records.set_score(handle, score);
            let item = Item { score, handle };
            tree.insert(item, |item| is_upto(item, score, handle, member, records));
        }
        Some(old)
    }

    /// Adds a member that is not there.
    pub(super) fn insert_new(&mut self, member: &[u8], score: f64) {
        let handle = self.records.add(member, score);
        let Self { records, tree, index } = self;
        index.add(handle, records);
        let item = Item { score, handle };
        tree.insert(item, |item| is_upto(item, score, handle, member, records));
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let handle = self.index.remove(member, &self.records)?;
        let score = self.records.score(handle);
        let records = &self.records;
        self.tree.remove(|item| is_upto(item, score, handle, member, records));
        self.records.remove(handle);
        Some(score)
    }

    /// Removes the member of a rank, after a look at it.
    pub(super) fn remove_at(&mut self, rank: usize, look: &mut dyn FnMut(&[u8], f64)) {
        let Item { score, handle } = self.tree.remove_at(rank);
        let member = self.records.member(handle);
        look(member, score);
        self.index.remove(member, &self.records);
        self.records.remove(handle);
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let handle = self.index.find(member, &self.records)?;
        let score = self.records.score(handle);
        let upto = |item| is_upto(item, score, handle, member, &self.records);
        Some((self.tree.count_upto(upto) - 1, score))
    }

    /// See [`Index::scan`].
    pub(super) fn scan(
        &self,
        position: u64,
        count: usize,
        each: &mut dyn FnMut(&[u8], f64),
    ) -> Option<u64> {
        self.index.scan(position, count, &self.records, &mut |handle| {
            each(self.records.member(handle), self.records.score(handle));
        })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.records.bytes() + self.tree.bytes() + self.index.bytes()
    }

    /// Drops about `left` blocks of memory, and takes them off it; what remains is no set any more.
    /// True when there are more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            if !(self.records.free_one() || self.index.free_one() || self.tree.free_one()) {
                return false;
            }
            *left -= 1;
        }
        true
    }

    /// What [`Large::copy_some`] fills.
    pub(super) fn copy_begin(&self) -> Self {
        let (records, index) = (self.records.copy_begin(), self.index.copy_begin());
        Self { records, tree: self.tree.copy_begin(), index }
    }

    /// Copies about `left` bytes. True when there are more.
    pub(super) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        self.records.copy_some(&mut to.records, left)
            || self.index.copy_some(&mut to.index, left)
            || self.tree.copy_some(&mut to.tree, left)
    }

    /// Whether it is dropped in no time. It became large for its members' number or for a long one.
    pub(super) fn is_light(&self) -> bool {
        self.len() <= LIGHT_LEN_MAX && self.records.blocks() <= LIGHT_BLOCKS_MAX
    }
}

/// Whether an entry is not behind a member of that score. Members of one score are in the order of
/// their bytes.
#[inline]
fn is_upto(item: Item, score: f64, handle: Handle, member: &[u8], records: &Records) -> bool {
    item.score < score
        || (item.score == score && (item.handle == handle || records.member(item.handle) <= member))
}
