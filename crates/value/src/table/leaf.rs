//! One small hash table of items, packed: a part of a large value.
//!
//! ```text
//! words:  | hash 32, place 32 | empty | hash 32, place 32 | ...     data: | item | item | ...
//! ```
//!
//! The place of a word is proportional to its hash and a run is kept sorted, so the words are in hash
//! order: a search stops at the first larger hash, growing places words in order, and a scan in hash
//! order is a walk. Items lie one behind the other in `data`, without a block of their own each; what
//! was removed leaves a gap until a quarter is gaps. Items above [`ITEM_INLINE_MAX`] have a block.

use super::Shape;
use crate::buf::class;
use crate::copying::spend;

/// Words of the largest leaf: splitting it stays well below 100 µs.
pub(super) const WORDS_MAX: usize = 1_024;
/// Longer items are not moved about with the others.
const ITEM_INLINE_MAX: usize = 256;
/// In a place: the number of a block, not an offset.
const LARGE: u32 = 1 << 31;
/// Bytes of a block that count as one more when it is freed.
const PAGES_LEN: usize = 8_192;
/// Gaps below this are not worth moving items.
const GAPS_MIN: usize = 128;

#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    words: Box<[u64]>,
    len: u32,
    /// Bytes of `data` that belong to no item.
    gaps: u32,
    data: Vec<u8>,
    large: Vec<Box<[u8]>>,
}

/// A walk over a leaf.
#[derive(Clone)]
pub(super) struct Words<'a> {
    leaf: &'a Leaf,
    rest: std::slice::Iter<'a, u64>,
}

impl<'a> Words<'a> {
    pub(super) fn next_item<S: Shape>(&mut self) -> Option<&'a [u8]> {
        let word = self.rest.find(|word| **word != 0)?;
        Some(self.leaf.item_of::<S>(*word))
    }
}

const fn word(hash: u32, place: u32) -> u64 {
    // Places are stored one higher, so that no word is 0.
    (hash as u64) << 32 | (place as u64 + 1)
}

const fn hash_in(word: u64) -> u32 {
    (word >> 32) as u32
}

const fn place_in(word: u64) -> u32 {
    word as u32 - 1
}

impl Leaf {
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    /// No room for one more without more words, and those are as many as a leaf may have.
    pub(super) const fn is_full(&self) -> bool {
        self.words.len() >= WORDS_MAX && self.is_crowded()
    }

    pub(super) fn bytes(&self) -> usize {
        let large: usize = self.large.iter().map(|item| class(item.len())).sum();
        self.words.len() * 8
            + self.data.capacity()
            + self.large.capacity() * size_of::<Box<[u8]>>()
            + large
    }

    /// Blocks of memory; a long one counts more, because the allocator gives its pages back.
    pub(super) const fn blocks(&self) -> usize {
        2 + self.data.capacity() / PAGES_LEN + self.large.len()
    }

    /// Copies about `left` bytes into a leaf that was empty at first. True when that is all.
    pub(super) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        if to.len == 0 && self.len > 0 {
            let large = Vec::with_capacity(self.large.len());
            let (words, data) = (self.words.clone(), self.data.clone());
            *to = Self { words, len: self.len, gaps: self.gaps, data, large };
            spend(left, self.words.len() * 8 + self.data.len());
        }
        for item in self.large.iter().skip(to.large.len()) {
            if *left == 0 {
                return false;
            }
            to.large.push(item.clone());
            spend(left, item.len());
        }
        true
    }

    /// Frees blocks of long items. True when all are gone.
    pub(super) fn free_large(&mut self, limit: usize) -> bool {
        let keep = self.large.len().saturating_sub(limit);
        self.large.truncate(keep);
        keep == 0
    }

    /// The word number of the item with this key.
    #[inline]
    pub(super) fn find<S: Shape>(&self, hash: u32, key: &[u8]) -> Option<usize> {
        if self.words.is_empty() {
            return None;
        }
        for (at, word) in self.words.iter().enumerate().skip(self.home(hash)) {
            if *word == 0 || hash_in(*word) > hash {
                return None;
            }
            if hash_in(*word) == hash && super::key_of(self.behind(*word)) == key {
                return Some(at);
            }
        }
        None
    }

    /// The item of a word number.
    pub(super) fn item<S: Shape>(&self, at: usize) -> &[u8] {
        self.item_of::<S>(self.words[at])
    }

    fn item_of<S: Shape>(&self, word: u64) -> &[u8] {
        let bytes = self.behind(word);
        &bytes[..super::len_of::<S>(bytes)]
    }

    /// What begins with the item of `word`.
    #[inline]
    fn behind(&self, word: u64) -> &[u8] {
        let place = place_in(word);
        if place & LARGE == 0 {
            &self.data[place as usize..]
        } else {
            &self.large[(place & !LARGE) as usize]
        }
    }

    /// The item of a word number, to be changed in place.
    pub(super) fn item_mut<S: Shape>(&mut self, at: usize) -> &mut [u8] {
        let place = place_in(self.words[at]);
        if place & LARGE == 0 {
            let bytes = &mut self.data[place as usize..];
            let len = super::len_of::<S>(bytes);
            &mut bytes[..len]
        } else {
            &mut self.large[(place & !LARGE) as usize]
        }
    }

    /// A walk over all items in hash order.
    pub(super) fn words(&self) -> Words<'_> {
        Words { leaf: self, rest: self.words.iter() }
    }

    /// Words in hash order: hash and item.
    pub(super) fn iter<S: Shape>(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let word = self.words.iter().filter(|word| **word != 0);
        word.map(|word| (hash_in(*word), self.item_of::<S>(*word)))
    }

    /// The word number of some item, each as likely as any other.
    pub(super) fn random(&self, rng: &mut stoa_stdx::Rng) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        // At least a fifth of the words are in use.
        loop {
            let at = rng.below(self.words.len() as u64) as usize;
            if self.words[at] != 0 {
                return Some(at);
            }
        }
    }

    /// The word number of item `n` in hash order.
    pub(super) fn nth(&self, n: usize) -> Option<usize> {
        let used = self.words.iter().enumerate().filter(|(_, word)| **word != 0);
        used.map(|(at, _)| at).nth(n)
    }

    /// Adds an item whose key is not there. The leaf is not full. For its inlining see [`Self::store`].
    #[inline(always)]
    pub(super) fn insert<S: Shape>(&mut self, hash: u32, parts: &[&[u8]]) {
        let place = self.store::<S>(parts);
        let word = word(hash, place);
        while self.is_crowded() || !self.put(word) {
            self.resize(grown(self.words.len()));
        }
        self.len += 1;
    }

    /// Puts another item of the same key in the place of word number `at`.
    pub(super) fn replace<S: Shape>(&mut self, at: usize, parts: &[&[u8]]) {
        let old = self.item_mut::<S>(at);
        if old.len() == parts.iter().map(|part| part.len()).sum::<usize>() {
            return fill(old, parts);
        }
        self.release::<S>(at);
        let place = self.store::<S>(parts);
        self.words[at] = word(hash_in(self.words[at]), place);
    }

    /// Takes out the item of word number `at`.
    pub(super) fn remove<S: Shape>(&mut self, at: usize) {
        self.release::<S>(at);
        self.close_gap(at);
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        } else if self.words.len() > 16 && self.len() < self.words.len() / 4 {
            self.resize(grown(self.len()));
            self.compact::<S>();
        } else if self.gaps as usize > GAPS_MIN.max(self.data.len() / 4) {
            self.compact::<S>();
        }
    }

    const fn is_crowded(&self) -> bool {
        self.len() + 1 > self.words.len() - self.words.len() / 8
    }

    /// Where a hash would like to be. The last words are slack for the runs before them, so that no
    /// run wraps around.
    #[inline]
    const fn home(&self, hash: u32) -> usize {
        let cap = self.words.len();
        ((hash as u64 * (cap - cap.div_ceil(16)) as u64) >> 32) as usize
    }

    /// Puts `word` in its run, behind the smaller and equal hashes. False if the run hits the end.
    fn put(&mut self, word: u64) -> bool {
        let hash = hash_in(word);
        let mut at = self.home(hash);
        while at < self.words.len() && self.words[at] != 0 && hash_in(self.words[at]) <= hash {
            at += 1;
        }
        let Some(hole) = self.words[at..].iter().position(|word| *word == 0) else { return false };
        self.words.copy_within(at..at + hole, at + 1);
        self.words[at] = word;
        true
    }

    /// Moves the rest of the run down over `at`, as far as homes allow.
    fn close_gap(&mut self, mut at: usize) {
        loop {
            let next = at + 1;
            let stays = next == self.words.len()
                || self.words[next] == 0
                || self.home(hash_in(self.words[next])) >= next;
            if stays {
                self.words[at] = 0;
                return;
            }
            self.words[at] = self.words[next];
            at = next;
        }
    }

    /// Moves all words into at least `cap`.
    fn resize(&mut self, mut cap: usize) {
        let old = std::mem::take(&mut self.words);
        loop {
            cap = class(cap * 8) / 8;
            self.words = vec![0; cap].into_boxed_slice();
            if old.iter().filter(|word| **word != 0).all(|word| self.put(*word)) {
                return;
            }
            // Many equal hashes at the end: rare, and a larger table has more slack.
            cap = grown(cap);
        }
    }

    /// Puts the bytes of an item somewhere; gives its place. Part of every add and of nothing else large:
    /// left to itself it is inlined or not by what else is in the crate.
    #[inline(always)]
    fn store<S: Shape>(&mut self, parts: &[&[u8]]) -> u32 {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > ITEM_INLINE_MAX {
            self.large.push(parts.concat().into_boxed_slice());
            return LARGE | (self.large.len() - 1) as u32;
        }
        if self.data.capacity() - self.data.len() < len {
            // Little is left empty: an item is copied some six times in all while a leaf fills.
            let wanted = self.data.len() + (self.data.len() / 6).max(len);
            self.data.reserve_exact(class(wanted) - self.data.len());
        }
        let place = self.data.len();
        parts.iter().for_each(|part| self.data.extend_from_slice(part));
        place as u32
    }

    /// Gives up the bytes of the item of word number `at`.
    fn release<S: Shape>(&mut self, at: usize) {
        let place = place_in(self.words[at]);
        if place & LARGE == 0 {
            self.gaps += self.item::<S>(at).len() as u32;
            return;
        }
        let number = (place & !LARGE) as usize;
        self.large.swap_remove(number);
        // The last one took its number.
        let moved = LARGE | self.large.len() as u32;
        let held = self.words.iter_mut().find(|word| **word != 0 && place_in(**word) == moved);
        if let Some(held) = held {
            *held = word(hash_in(*held), place);
        }
    }

    /// Closes the gaps in `data`.
    fn compact<S: Shape>(&mut self) {
        let mut data = Vec::with_capacity(class(self.data.len() - self.gaps as usize));
        for at in 0..self.words.len() {
            let held = self.words[at];
            if held != 0 && place_in(held) & LARGE == 0 {
                let place = data.len() as u32;
                data.extend_from_slice(self.item_of::<S>(held));
                self.words[at] = word(hash_in(held), place);
            }
        }
        self.data = data;
        self.gaps = 0;
    }
}

fn fill(item: &mut [u8], parts: &[&[u8]]) {
    let mut at = 0;
    for part in parts {
        item[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
}

/// The next number of words: a quarter more, at least eight.
const fn grown(cap: usize) -> usize {
    if cap < 8 { 8 } else { cap + cap.div_ceil(4) }
}
