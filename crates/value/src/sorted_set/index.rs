//! From a member to its record: a tree of small hash tables that never moves much at once.
//!
//! A segment that is full splits in two by the next bit of its members' hashes, and a directory of
//! hash prefixes says which segment is whose. So adding a member hashes a few hundred others at
//! most, however large the set, where one table of a million would stop its shard for 50 ms. The
//! prefix is also the order in which a scan walks, which no split changes.

use hashbrown::HashTable;
use stoa_stdx::HashSeed;

use super::records::{Handle, Records};
use crate::copying::spend;

/// Members of a segment: what 512 places hold before they would double.
const SEGMENT_LEN_MAX: usize = 448;
/// Bits of a hash that the directory and scans go by; the rest is the segment's own.
const PREFIX_BITS: u32 = 40;
/// No deeper directory, whatever the hashes: two to the 24th segments hold billions.
const DEPTH_MAX: u32 = 24;

#[derive(Clone)]
struct Segment {
    table: HashTable<Handle>,
    /// Bits of the prefix that all its members share.
    depth: u32,
}

/// The table of one set.
#[derive(Clone)]
pub(super) struct Index {
    seed: HashSeed,
    segments: Vec<Segment>,
    /// By the first `depth` bits of the hash; several entries may name one segment.
    directory: Vec<u32>,
    depth: u32,
}

/// A hash as a segment sees it: the bits that the directory goes by are the same for all in there.
const fn inner(hash: u64) -> u64 {
    hash.rotate_left(PREFIX_BITS)
}

const fn prefix(hash: u64) -> u64 {
    hash >> (u64::BITS - PREFIX_BITS)
}

impl Index {
    pub(super) fn new(seed: HashSeed) -> Self {
        let first = Segment { table: HashTable::new(), depth: 0 };
        Self { seed, segments: vec![first], directory: vec![0], depth: 0 }
    }

    fn segment_of(&self, hash: u64) -> usize {
        // By 64 it could not be shifted.
        let at = (hash >> 1) >> (u64::BITS - 1 - self.depth);
        self.directory[at as usize] as usize
    }

    /// The record of `member`.
    #[inline]
    pub(super) fn find(&self, member: &[u8], records: &Records) -> Option<Handle> {
        let hash = self.seed.hash(member);
        let table = &self.segments[self.segment_of(hash)].table;
        table.find(inner(hash), |handle| records.member(*handle) == member).copied()
    }

    /// Adds the record of a member that is not there.
    pub(super) fn add(&mut self, handle: Handle, records: &Records) {
        let hash = self.seed.hash(records.member(handle));
        let mut at = self.segment_of(hash);
        if self.segments[at].table.len() >= SEGMENT_LEN_MAX && self.segments[at].depth < DEPTH_MAX {
            self.split(at, records);
            at = self.segment_of(hash);
        }
        let Self { seed, segments, .. } = self;
        let rehash = |handle: &Handle| inner(seed.hash(records.member(*handle)));
        segments[at].table.insert_unique(inner(hash), handle, rehash);
    }

    /// Forgets the record of `member`, and says which it was.
    pub(super) fn remove(&mut self, member: &[u8], records: &Records) -> Option<Handle> {
        let hash = self.seed.hash(member);
        let at = self.segment_of(hash);
        let same = |handle: &Handle| records.member(*handle) == member;
        let found = self.segments[at].table.find_entry(inner(hash), same).ok()?;
        Some(found.remove().0)
    }

    /// Hands over members in the order of their hashes from `position` on, at least `count` if there
    /// are so many. Gives the position to go on from, None at the end.
    pub(super) fn scan(
        &self,
        position: u64,
        count: usize,
        records: &Records,
        each: &mut dyn FnMut(Handle),
    ) -> Option<u64> {
        let (mut position, mut left) = (position, count.max(1));
        while position >> PREFIX_BITS == 0 {
            let segment = &self.segments[self.segment_of(position << (u64::BITS - PREFIX_BITS))];
            let rest = PREFIX_BITS - segment.depth;
            let end = ((position >> rest) + 1) << rest;
            let mut found: Vec<(u64, Handle)> = segment
                .table
                .iter()
                .map(|handle| (prefix(self.seed.hash(records.member(*handle))), *handle))
                .filter(|(at, _)| *at >= position)
                .collect();
            found.sort_unstable();
            let mut last = None;
            for (at, handle) in found {
                // Members of one position cannot be told apart by a cursor.
                if left == 0 && last != Some(at) {
                    return Some(at);
                }
                last = Some(at);
                left = left.saturating_sub(1);
                each(handle);
            }
            position = end;
            if left == 0 {
                break;
            }
        }
        (position >> PREFIX_BITS == 0).then_some(position)
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let tables: usize =
            self.segments.iter().map(|segment| segment.table.allocation_size()).sum();
        tables + self.segments.capacity() * size_of::<Segment>() + self.directory.capacity() * 4
    }

    /// What [`Index::copy_some`] fills.
    pub(super) fn copy_begin(&self) -> Self {
        Self {
            seed: self.seed.clone(),
            segments: Vec::with_capacity(self.segments.len()),
            directory: Vec::new(),
            depth: self.depth,
        }
    }

    /// Copies about `left` bytes. True when there are more.
    pub(super) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        for segment in self.segments.iter().skip(to.segments.len()) {
            if *left == 0 {
                return true;
            }
            to.segments.push(segment.clone());
            spend(left, segment.table.allocation_size());
        }
        if to.directory.is_empty() {
            to.directory.clone_from(&self.directory);
            spend(left, self.directory.len() * 4);
        }
        false
    }

    /// Drops a segment, whatever still points at it. False when there is none.
    pub(super) fn free_one(&mut self) -> bool {
        self.segments.pop().is_some()
    }

    fn split(&mut self, at: usize, records: &Records) {
        let depth = self.segments[at].depth + 1;
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|segment| [*segment; 2]).collect();
            self.depth = depth;
        }
        let Self { seed, segments, .. } = self;
        let hash = |handle: &Handle| seed.hash(records.member(*handle));
        let old = std::mem::take(&mut segments[at].table);
        // Each member is fetched from memory once, and the new tables need not grow.
        let hashed: Vec<(u64, Handle)> = old.iter().map(|handle| (hash(handle), *handle)).collect();
        let is_high = |hashed: u64| hashed >> (u64::BITS - depth) & 1 == 1;
        let high_len = hashed.iter().filter(|(hashed, _)| is_high(*hashed)).count();
        let mut low = HashTable::with_capacity(hashed.len() - high_len);
        let mut high = HashTable::with_capacity(high_len);
        let mut first = 0;
        for (hashed, handle) in hashed {
            first = hashed >> (u64::BITS - depth) & !1;
            let side = if is_high(hashed) { &mut high } else { &mut low };
            side.insert_unique(inner(hashed), handle, |handle| inner(hash(handle)));
        }
        segments[at] = Segment { table: low, depth };
        segments.push(Segment { table: high, depth });
        // All directory entries below the new segment's prefix.
        let spread = self.depth - depth;
        let from = (first as usize | 1) << spread;
        self.directory[from..from + (1 << spread)].fill(segments.len() as u32 - 1);
    }
}
