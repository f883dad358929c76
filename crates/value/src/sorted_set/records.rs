//! The members of a large sorted set, each once, with its score: what table and tree point at.
//!
//! ```text
//! score 8 | length 1 | bytes            length 255: the next four bytes say where a long one lies
//! ```
//!
//! A pointer would be eight bytes, in the table and in the tree, and the allocator's smallest steps
//! sixteen. So records lie in pages of one record size each, steps of eight bytes, and are known by
//! four-byte handles: page and place. A page whose last record goes is given back. The price is a
//! look at the page table on the way, which is small enough to stay in the cache.

use crate::copying::spend;

/// Where a record is.
pub(crate) type Handle = u32;

const UNIT: usize = 8;
const PAGE_LEN: usize = 4_096;
const UNITS: usize = PAGE_LEN / UNIT;
const UNIT_BITS: u32 = UNITS.trailing_zeros();
/// Pages that handles can tell apart: 32 GiB of one set's members.
const PAGE_COUNT_MAX: usize = 1 << (Handle::BITS - UNIT_BITS);
const HEAD: usize = 9;
/// Members longer than this have a block of their own.
const SHORT_LEN_MAX: usize = 254;
const LONG: u8 = 255;
/// Bytes of the record of a long member.
const LONG_RECORD_LEN: usize = HEAD + 4;
const CLASS_COUNT: usize = (HEAD + SHORT_LEN_MAX).div_ceil(UNIT) + 1;
const NONE: u16 = u16::MAX;

const _: () = assert!(UNITS < NONE as usize, "a place in a page is told from none");

#[derive(Clone)]
struct Page {
    bytes: Box<[u8; PAGE_LEN]>,
    /// Units of each record.
    class: u8,
    /// Waits in the list of its class for more records.
    is_listed: bool,
    live: u16,
    /// The first of the freed places; each holds the next in its first two bytes.
    free: u16,
    /// Units from here on were never used.
    fresh: u16,
}

impl Page {
    fn new(class: u8) -> Self {
        let bytes = Box::new([0; PAGE_LEN]);
        Self { bytes, class, is_listed: false, live: 0, free: NONE, fresh: 0 }
    }

    const fn has_room(&self) -> bool {
        self.free != NONE || self.fresh as usize + self.class as usize <= UNITS
    }

    fn take(&mut self) -> u16 {
        self.live += 1;
        if self.free == NONE {
            self.fresh += u16::from(self.class);
            return self.fresh - u16::from(self.class);
        }
        let unit = self.free;
        let at = unit as usize * UNIT;
        self.free = u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]);
        unit
    }

    fn give_back(&mut self, unit: u16) {
        let at = unit as usize * UNIT;
        self.bytes[at..at + 2].copy_from_slice(&self.free.to_le_bytes());
        self.free = unit;
        self.live -= 1;
    }
}

/// All records of one set.
#[derive(Clone)]
pub(crate) struct Records {
    /// None: given back; its number waits in `vacant`.
    pages: Vec<Option<Page>>,
    vacant: Vec<u32>,
    /// Pages with room, by class. An entry may be out of date: whoever takes it looks.
    open: Vec<Vec<u32>>,
    long: Vec<Box<[u8]>>,
    long_vacant: Vec<u32>,
    long_bytes: usize,
}

impl Records {
    pub(crate) fn new() -> Self {
        Self {
            pages: Vec::new(),
            vacant: Vec::new(),
            open: vec![Vec::new(); CLASS_COUNT],
            long: Vec::new(),
            long_vacant: Vec::new(),
            long_bytes: 0,
        }
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, member: &[u8], score: f64) -> Handle {
        let is_long = member.len() > SHORT_LEN_MAX;
        let len = if is_long { LONG_RECORD_LEN } else { HEAD + member.len() };
        let (page, unit) = self.room(len.div_ceil(UNIT) as u8);
        let handle = page << UNIT_BITS | Handle::from(unit);
        let long = is_long.then(|| self.keep_long(member));
        let record = self.record_mut(handle);
        record[..8].copy_from_slice(&score.to_le_bytes());
        match long {
            Some(at) => {
                record[8] = LONG;
                record[HEAD..HEAD + 4].copy_from_slice(&at.to_le_bytes());
            }
            None => {
                record[8] = member.len() as u8;
                record[HEAD..HEAD + member.len()].copy_from_slice(member);
            }
        }
        handle
    }

    /// Forgets a record.
    pub(crate) fn remove(&mut self, handle: Handle) {
        if let Some(at) = self.long_at(handle) {
            self.long_bytes -= self.long[at].len();
            self.long[at] = Box::default();
            self.long_vacant.push(at as u32);
        }
        let number = handle >> UNIT_BITS;
        let page = self.pages[number as usize].as_mut().expect("a record's page is there");
        page.give_back((handle as usize % UNITS) as u16);
        if page.live == 0 {
            self.pages[number as usize] = None;
            self.vacant.push(number);
        } else if !page.is_listed {
            page.is_listed = true;
            self.open[page.class as usize].push(number);
        }
    }

    #[inline]
    pub(crate) fn score(&self, handle: Handle) -> f64 {
        let record = self.record(handle);
        f64::from_le_bytes(*record.first_chunk().expect("a record has a score"))
    }

    pub(crate) fn set_score(&mut self, handle: Handle, score: f64) {
        self.record_mut(handle)[..8].copy_from_slice(&score.to_le_bytes());
    }

    #[inline]
    pub(crate) fn member(&self, handle: Handle) -> &[u8] {
        let record = self.record(handle);
        match record[8] {
            LONG => &self.long[self.long_at(handle).expect("a long one")],
            len => &record[HEAD..HEAD + len as usize],
        }
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        let pages = self.pages.len() - self.vacant.len();
        let lists: usize = self.open.iter().map(Vec::capacity).sum();
        pages * PAGE_LEN
            + self.pages.capacity() * size_of::<Option<Page>>()
            + (lists + self.vacant.capacity()) * 4
            + self.long.capacity() * size_of::<Box<[u8]>>()
            + self.long_bytes
    }

    /// Blocks of memory.
    pub(crate) const fn blocks(&self) -> usize {
        self.pages.len() + self.long.len()
    }

    /// What [`Records::copy_some`] fills.
    pub(crate) fn copy_begin(&self) -> Self {
        Self {
            pages: Vec::with_capacity(self.pages.len()),
            vacant: self.vacant.clone(),
            open: self.open.clone(),
            long: Vec::with_capacity(self.long.len()),
            long_vacant: self.long_vacant.clone(),
            long_bytes: self.long_bytes,
        }
    }

    /// Copies about `left` bytes. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        for page in self.pages.iter().skip(to.pages.len()) {
            if *left == 0 {
                return true;
            }
            to.pages.push(page.clone());
            spend(left, if page.is_some() { PAGE_LEN } else { 0 });
        }
        for member in self.long.iter().skip(to.long.len()) {
            if *left == 0 {
                return true;
            }
            to.long.push(member.clone());
            spend(left, member.len());
        }
        false
    }

    /// Drops a page or a long member, whatever still points at it. False when there is none.
    pub(crate) fn free_one(&mut self) -> bool {
        self.pages.pop().is_some() || self.long.pop().is_some()
    }

    /// A place for `class` units.
    fn room(&mut self, class: u8) -> (u32, u16) {
        while let Some(&number) = self.open[class as usize].last() {
            let page = self.pages[number as usize].as_mut();
            match page.filter(|page| page.class == class) {
                Some(page) if page.has_room() => return (number, page.take()),
                Some(page) => page.is_listed = false,
                None => {}
            }
            self.open[class as usize].pop();
        }
        let mut page = Page::new(class);
        page.is_listed = true;
        let unit = page.take();
        let number = match self.vacant.pop() {
            Some(number) => {
                self.pages[number as usize] = Some(page);
                number
            }
            None => {
                self.pages.push(Some(page));
                self.pages.len() as u32 - 1
            }
        };
        assert!((number as usize) < PAGE_COUNT_MAX, "a set's members take 32 GiB at most");
        self.open[class as usize].push(number);
        (number, unit)
    }

    fn keep_long(&mut self, member: &[u8]) -> u32 {
        self.long_bytes += member.len();
        match self.long_vacant.pop() {
            Some(at) => {
                self.long[at as usize] = member.into();
                at
            }
            None => {
                self.long.push(member.into());
                self.long.len() as u32 - 1
            }
        }
    }

    /// Where the member of a record lies, if it is a long one.
    fn long_at(&self, handle: Handle) -> Option<usize> {
        let record = self.record(handle);
        (record[8] == LONG).then(|| {
            let at = record[HEAD..].first_chunk().expect("four bytes");
            u32::from_le_bytes(*at) as usize
        })
    }

    /// From the beginning of a record to the end of its page.
    #[inline]
    fn record(&self, handle: Handle) -> &[u8] {
        let page = self.pages[(handle >> UNIT_BITS) as usize].as_ref();
        &page.expect("a record's page is there").bytes[handle as usize % UNITS * UNIT..]
    }

    fn record_mut(&mut self, handle: Handle) -> &mut [u8] {
        let page = self.pages[(handle >> UNIT_BITS) as usize].as_mut();
        &mut page.expect("a record's page is there").bytes[handle as usize % UNITS * UNIT..]
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::Records;

    #[test]
    fn records_keep_their_content_and_pages_are_given_back() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let mut records = Records::new();
            let mut model: Vec<(u32, Vec<u8>, f64)> = Vec::new();
            for step in 0..2_000 {
                if rng.below(100) < 55 && step < 1_500 {
                    let len = if rng.one_in(20) { 200 + rng.below(200) } else { rng.below(40) };
                    let member: Vec<u8> = (0..len).map(|_| rng.next() as u8).collect();
                    let score = rng.below(100) as f64;
                    model.push((records.add(&member, score), member, score));
                } else if !model.is_empty() {
                    let at = rng.below(model.len() as u64) as usize;
                    let (handle, member, score) = model.swap_remove(at);
                    assert_eq!(records.member(handle), member, "seed {seed}, step {step}");
                    assert_eq!(records.score(handle), score, "seed {seed}, step {step}");
                    records.remove(handle);
                }
            }
            for (handle, member, score) in model {
                assert_eq!(records.member(handle), member, "seed {seed}");
                assert_eq!(records.score(handle), score, "seed {seed}");
                records.remove(handle);
            }
            assert_eq!(records.pages.len(), records.vacant.len(), "seed {seed}");
            assert_eq!(records.long_bytes, 0, "seed {seed}");
        }
    }
}
