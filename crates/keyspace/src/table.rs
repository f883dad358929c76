//! The keys of one slot: a small ordered hash table of tagged pointers.
//!
//! A word is an entry's pointer with the top 16 bits of the key's hash above it (user addresses end
//! at bit 47). The place of a tag is proportional to it, and a run is kept sorted, so a table is
//! nearly sorted by hash: a lookup reads one or two cache lines and stops at the first larger tag,
//! growing copies words in order without touching an entry, any capacity will do (growth is by a
//! quarter, so that little is empty), and SCAN walks in hash order, which no growing or shrinking
//! changes. It costs a short shift on insert.
//!
//! A table that would pass [`WORDS_MAX`] becomes a node of 16 slots by the next four bits of the
//! hash, so that no insert ever moves more than one table's words: hash tags may put millions of keys
//! into one slot.

use std::ptr::{NonNull, null_mut};

use stoa_value::Object;

use crate::arena::Arena;
use crate::entry::Entry;

/// Words of the largest table: splitting it touches as many entries, which stays well below 100 µs.
const WORDS_MAX: u32 = 1_024;
/// As many levels of nodes as the hash has bits for, with a tag left at the last.
const LEVELS_MAX: u32 = 12;
const NODE: u32 = u32::MAX;
const FANOUT: usize = 16;
const TAG_SHIFT: u32 = 48;
const ADDRESS: usize = (1 << TAG_SHIFT) - 1;

/// One slot of a database. 16 bytes; all zero is empty.
pub(crate) struct Slot {
    /// Tagged words, or the children of a node.
    words: *mut u8,
    len: u32,
    /// Words allocated, or [`NODE`].
    cap: u32,
}

type Word = *mut u8;

impl Slot {
    pub(crate) const EMPTY: Self = Self { words: null_mut(), len: 0, cap: 0 };

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// The entry whose key is `key`.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<Entry> {
        let (table, hash) = self.leaf(hash);
        let at = table.position(tag_of(hash), key)?;
        Some(entry_of(table.word(at)))
    }

    /// Entries whose hash has the same top 16 bits at their level; for wheel items, which know no key.
    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = Entry> + '_ {
        let (table, hash) = self.leaf(hash);
        let tag = tag_of(hash);
        (table.home(tag)..table.cap)
            .map(|at| table.word(at))
            .take_while(move |word| !word.is_null() && tag_in(*word) <= tag)
            .filter(move |word| tag_in(*word) == tag)
            .map(entry_of)
    }

    /// Adds an entry whose key is not there. Gives the bytes by which tables grew.
    pub(crate) fn insert(
        &mut self,
        arena: &mut Arena,
        hash: u64,
        entry: Entry,
        hash_key: &dyn Fn(&[u8]) -> u64,
    ) {
        self.insert_at(arena, hash, 0, entry, hash_key);
    }

    fn insert_at(
        &mut self,
        arena: &mut Arena,
        hash: u64,
        level: u32,
        entry: Entry,
        hash_key: &dyn Fn(&[u8]) -> u64,
    ) {
        let here = hash << (4 * level);
        if self.cap == NODE {
            self.len += 1;
            let child = &mut self.children_mut()[(here >> 60) as usize];
            return child.insert_at(arena, hash, level + 1, entry, hash_key);
        }
        let word = word_of(entry, tag_of(here));
        loop {
            if !self.is_crowded() && self.place(word) {
                self.len += 1;
                return;
            }
            if self.cap >= WORDS_MAX && level < LEVELS_MAX {
                self.split(arena, level, hash_key);
                return self.insert_at(arena, hash, level, entry, hash_key);
            }
            self.resize(arena, grown(self.cap));
        }
    }

    /// Takes out the entry whose key is `key`.
    pub(crate) fn remove(&mut self, arena: &mut Arena, hash: u64, key: &[u8]) -> Option<Entry> {
        if self.cap == NODE {
            let child = &mut self.children_mut()[(hash >> 60) as usize];
            let removed = child.remove(arena, hash << 4, key);
            self.len -= u32::from(removed.is_some());
            if self.len == 0 {
                self.free_tables(arena);
            }
            return removed;
        }
        let at = self.position(tag_of(hash), key)?;
        let entry = entry_of(self.word(at));
        self.close_gap(at);
        self.len -= 1;
        if self.len == 0 {
            self.free_tables(arena);
        } else if self.cap > 8 && self.len < self.cap / 4 {
            self.resize(arena, grown(self.len));
        }
        Some(entry)
    }

    /// Puts another entry of the same key where `old` is.
    pub(crate) fn replace(&mut self, hash: u64, old: Entry, new: Entry) {
        if self.cap == NODE {
            return self.children_mut()[(hash >> 60) as usize].replace(hash << 4, old, new);
        }
        let tag = tag_of(hash);
        let at = (self.home(tag)..self.cap)
            .find(|at| entry_of(self.word(*at)) == old)
            .expect("the entry was found in this table");
        self.set_word(at, word_of(new, tag));
    }

    /// Calls `each` with the entries from hash position `from` (top 32 bits) on, whole tags at a
    /// time, until it has had `limit` entries. Gives the position to go on from, None at the end.
    pub(crate) fn scan(&self, from: u32, limit: usize, each: &mut dyn FnMut(Entry)) -> Option<u32> {
        let mut seen = 0;
        self.scan_level(u64::from(from) << 32, 0, 0, limit, &mut seen, each)
            .map(|position| (position >> 32) as u32)
    }

    fn scan_level(
        &self,
        from: u64,
        prefix: u64,
        level: u32,
        limit: usize,
        seen: &mut usize,
        each: &mut dyn FnMut(Entry),
    ) -> Option<u64> {
        if self.cap == NODE {
            let shift = 60 - 4 * level;
            for (number, child) in self.children().iter().enumerate() {
                let start = prefix | (number as u64) << shift;
                let end = start + ((1_u64 << shift) - 1);
                if end < from || child.len == 0 {
                    continue;
                }
                // Below 32 bits of position a table is handed over whole.
                if *seen >= limit && start << 32 == 0 {
                    return Some(start);
                }
                let next = child.scan_level(from.max(start), start, level + 1, limit, seen, each);
                if next.is_some() {
                    return next;
                }
            }
            return None;
        }
        let shift = TAG_SHIFT as i32 - 4 * level as i32;
        let mut last = None;
        for at in 0..self.cap {
            let word = self.word(at);
            if word.is_null() {
                continue;
            }
            let tag = u64::from(tag_in(word));
            let position = if shift >= 32 { prefix | tag << shift } else { prefix };
            if position < from {
                continue;
            }
            if *seen >= limit && last != Some(position) {
                return Some(position);
            }
            last = Some(position);
            *seen += 1;
            each(entry_of(word));
        }
        None
    }

    /// The entry nearest above a random position: close to even, and cheap.
    pub(crate) fn nth(&self, mut n: usize) -> Option<Entry> {
        if self.cap == NODE {
            for child in self.children() {
                if n < child.len() {
                    return child.nth(n);
                }
                n -= child.len();
            }
            return None;
        }
        (0..self.cap).map(|at| self.word(at)).filter(|word| !word.is_null()).nth(n).map(entry_of)
    }

    /// Moves tables out of sparse pages, so that these can serve other sizes: those from hash position
    /// `from` on, until none of `left` is left. Gives the position to go on from, None at the end.
    pub(crate) fn compact(
        &mut self,
        arena: &mut Arena,
        from: u64,
        left: &mut usize,
    ) -> Option<u64> {
        self.compact_level(arena, from, 0, 0, left)
    }

    fn compact_level(
        &mut self,
        arena: &mut Arena,
        from: u64,
        prefix: u64,
        level: u32,
        left: &mut usize,
    ) -> Option<u64> {
        if *left == 0 {
            return Some(prefix);
        }
        if self.cap != NODE {
            *left -= 1;
            self.compact_table(arena);
            return None;
        }
        let shift = 60 - 4 * level;
        for (number, child) in self.children_mut().iter_mut().enumerate() {
            let start = prefix | (number as u64) << shift;
            // A position before `from` stands for the table that it lies in.
            if start + ((1_u64 << shift) - 1) >= from {
                let next = child.compact_level(arena, from, start, level + 1, left);
                if next.is_some() {
                    return next;
                }
            }
        }
        None
    }

    fn compact_table(&mut self, arena: &mut Arena) {
        let Some(words) = NonNull::new(self.words) else { return };
        let size = self.cap as usize * 8;
        // SAFETY: the table is live with this size; its words are copied whole, and the old block is
        // freed after the pointer to it was replaced.
        unsafe {
            if arena.is_sparse(words, size) {
                let moved = arena.alloc(size);
                moved.as_ptr().copy_from_nonoverlapping(words.as_ptr(), size);
                self.words = moved.as_ptr();
                arena.free(words, size);
            }
        }
    }

    /// Frees the tables, not the entries.
    pub(crate) fn free_tables(&mut self, arena: &mut Arena) {
        let size = if self.cap == NODE {
            for child in self.children_mut() {
                child.free_tables(arena);
            }
            FANOUT * size_of::<Self>()
        } else {
            self.cap as usize * 8
        };
        if let Some(words) = NonNull::new(self.words) {
            // SAFETY: allocated in `resize` or `split` with this size; forgotten below.
            unsafe { arena.free(words, size) };
        }
        *self = Self::EMPTY;
    }

    /// Frees about `left` entries of the slot, and takes them off it; values that take long to free go
    /// to `condemned`. What remains is good for nothing but more of this.
    pub(crate) fn free_some(
        &mut self,
        arena: &mut Arena,
        condemned: &mut Vec<Object>,
        left: &mut usize,
    ) {
        let before = *left;
        if self.cap == NODE {
            let Some(child) = self.children_mut().iter_mut().rfind(|child| child.len > 0) else {
                unreachable!("a node that counts entries has them below")
            };
            child.free_some(arena, condemned, left);
        } else {
            for at in (0..self.cap).rev() {
                let word = self.word(at);
                if *left == 0 {
                    break;
                }
                if !word.is_null() {
                    self.set_word(at, null_mut());
                    // SAFETY: made by this arena, and handed over once: its word is gone.
                    unsafe { entry_of(word).discard(arena, condemned) };
                    *left -= 1;
                }
            }
        }
        self.len -= (before - *left) as u32;
        if self.len == 0 {
            self.free_tables(arena);
        }
    }

    /// Brings this header's table line into the cache.
    #[inline]
    pub(crate) fn prefetch_words(&self, hash: u64) {
        if self.cap != NODE && self.cap != 0 {
            prefetch(self.words.wrapping_add(self.home(tag_of(hash)) as usize * 8));
        }
    }

    /// Brings the first entry with the tag of `hash` into the cache: header, key and a short value.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        let (table, hash) = self.leaf(hash);
        let tag = tag_of(hash);
        for at in table.home(tag)..table.cap {
            let word = table.word(at);
            if word.is_null() || tag_in(word) > tag {
                return;
            }
            if tag_in(word) == tag {
                let entry = entry_of(word).0.as_ptr();
                prefetch(entry);
                prefetch(entry.wrapping_add(64));
                return;
            }
        }
    }

    /// The table that holds this hash, and the hash's bits from that level on.
    #[inline]
    fn leaf(&self, mut hash: u64) -> (&Self, u64) {
        let mut slot = self;
        while slot.cap == NODE {
            slot = &slot.children()[(hash >> 60) as usize];
            hash <<= 4;
        }
        (slot, hash)
    }

    fn children(&self) -> &[Self; FANOUT] {
        debug_assert_eq!(self.cap, NODE);
        // SAFETY: a node's words are FANOUT initialised slots, written in `split`.
        unsafe { &*self.words.cast::<[Self; FANOUT]>() }
    }

    fn children_mut(&mut self) -> &mut [Self; FANOUT] {
        debug_assert_eq!(self.cap, NODE);
        // SAFETY: as in `children`, and `self` is borrowed exclusively.
        unsafe { &mut *self.words.cast::<[Self; FANOUT]>() }
    }

    #[inline]
    fn word(&self, at: u32) -> Word {
        debug_assert!(at < self.cap && self.cap != NODE);
        // SAFETY: `at` < cap words, all initialised (null or tagged).
        unsafe { self.words.cast::<Word>().add(at as usize).read() }
    }

    #[inline]
    fn set_word(&mut self, at: u32, word: Word) {
        debug_assert!(at < self.cap && self.cap != NODE);
        // SAFETY: as in `word`.
        unsafe { self.words.cast::<Word>().add(at as usize).write(word) }
    }

    /// Where a tag would like to be. The last words are slack for the runs before them, so that no
    /// run wraps around.
    #[inline]
    const fn home(&self, tag: u16) -> u32 {
        (tag as u32 * (self.cap - self.cap.div_ceil(16))) >> 16
    }

    const fn is_crowded(&self) -> bool {
        self.len + 1 > self.cap - self.cap / 8
    }

    #[inline]
    fn position(&self, tag: u16, key: &[u8]) -> Option<u32> {
        if self.cap == 0 {
            return None;
        }
        for at in self.home(tag)..self.cap {
            let word = self.word(at);
            if word.is_null() || tag_in(word) > tag {
                return None;
            }
            if tag_in(word) == tag && entry_of(word).key() == key {
                return Some(at);
            }
        }
        None
    }

    /// Puts `word` in its run, behind the smaller and equal tags. False if the run hits the end.
    fn place(&mut self, word: Word) -> bool {
        let tag = tag_in(word);
        let mut at = self.home(tag);
        while at < self.cap && !self.word(at).is_null() && tag_in(self.word(at)) <= tag {
            at += 1;
        }
        let Some(hole) = (at..self.cap).find(|at| self.word(*at).is_null()) else { return false };
        for to in (at + 1..=hole).rev() {
            let moved = self.word(to - 1);
            self.set_word(to, moved);
        }
        self.set_word(at, word);
        true
    }

    /// Moves the rest of the run down over `at`, as far as homes allow.
    fn close_gap(&mut self, mut at: u32) {
        loop {
            let next = at + 1;
            let stays = next == self.cap
                || self.word(next).is_null()
                || self.home(tag_in(self.word(next))) >= next;
            if stays {
                return self.set_word(at, null_mut());
            }
            let moved = self.word(next);
            self.set_word(at, moved);
            at = next;
        }
    }

    /// Moves all words into a table of at least `cap` words.
    fn resize(&mut self, arena: &mut Arena, mut cap: u32) {
        loop {
            cap = (Arena::rounded(cap as usize * 8) / 8) as u32;
            let words = arena.alloc(cap as usize * 8).as_ptr();
            // SAFETY: fresh, `cap` words long; zero is the null word.
            unsafe { words.write_bytes(0, cap as usize * 8) };
            let mut table = Self { words, len: self.len, cap };
            let all = (0..self.cap)
                .map(|at| self.word(at))
                .filter(|word| !word.is_null())
                .all(|word| table.place(word));
            if all {
                self.free_words(arena);
                *self = table;
                return;
            }
            // Many equal tags at the end: rare, and a larger table has more slack.
            table.free_words(arena);
            cap = grown(cap);
        }
    }

    fn free_words(&mut self, arena: &mut Arena) {
        if let Some(words) = NonNull::new(self.words) {
            // SAFETY: allocated in `resize` with `cap` words; the caller forgets the pointer.
            unsafe { arena.free(words, self.cap as usize * 8) };
        }
    }

    /// Turns this table into a node of tables.
    fn split(&mut self, arena: &mut Arena, level: u32, hash_key: &dyn Fn(&[u8]) -> u64) {
        let block = arena.alloc(FANOUT * size_of::<Self>()).as_ptr().cast::<Self>();
        for number in 0..FANOUT {
            // SAFETY: the block is fresh and FANOUT slots long, aligned to 8 as a Slot is.
            unsafe { block.add(number).write(Self::EMPTY) };
        }
        let old = std::mem::replace(self, Self { words: block.cast(), len: 0, cap: NODE });
        let entries: Vec<Entry> = (0..old.cap)
            .map(|at| old.word(at))
            .filter(|word| !word.is_null())
            .map(entry_of)
            .collect();
        for (number, entry) in entries.iter().enumerate() {
            if let Some(ahead) = entries.get(number + 8) {
                prefetch(ahead.0.as_ptr());
            }
            self.insert_at(arena, hash_key(entry.key()), level, *entry, hash_key);
        }
        let mut old = old;
        old.free_words(arena);
    }
}

/// The next capacity: a quarter more, at least two.
const fn grown(cap: u32) -> u32 {
    if cap < 2 { 2 } else { cap + if cap < 8 { 2 } else { cap / 4 } }
}

#[inline]
const fn tag_of(hash: u64) -> u16 {
    (hash >> TAG_SHIFT) as u16
}

#[inline]
fn tag_in(word: Word) -> u16 {
    (word.addr() >> TAG_SHIFT) as u16
}

#[inline]
fn word_of(entry: Entry, tag: u16) -> Word {
    entry.0.as_ptr().map_addr(|at| at | (tag as usize) << TAG_SHIFT)
}

#[inline]
fn entry_of(word: Word) -> Entry {
    let address = word.map_addr(|at| at & ADDRESS);
    // SAFETY: words that are not null were made from an entry's pointer, which is not null.
    Entry(unsafe { NonNull::new_unchecked(address) })
}

/// A hint to the processor; nothing is read as far as the program can tell.
#[inline]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch(at.cast::<i8>(), std::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}
