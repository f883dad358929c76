//! When each key is due: a hierarchical timing wheel of one millisecond a slot.
//!
//! Adding is O(1), which a heap's is not: a cache with ten million deadlines pays a cache miss for
//! each level of the heap, on every add and twice on every pop. The wheel pays at most one move
//! for each level between a deadline and now, in runs of neighbours (`docs/perf/wheel-vs-heap.md`).
//!
//! **Levels.** The lowest has 256 slots of a millisecond, each of the seven above 64 slots of a
//! whole turn of the level below: 256 ms, 16 s, 17 min, 19 h, 50 d, 9 y, 558 y. Together they cover
//! 48 bits, so no deadline needs an overflow list. An item lies on the level of the highest digit
//! in which its deadline differs from the wheel's clock, in the slot of that digit; so whatever
//! lies on a lower level comes before whatever lies on a higher one, and the next slot is the first
//! bit of the lowest level that has any.
//!
//! **Portions.** When the clock reaches a slot, its list becomes the *inbox* in O(1). The inbox is
//! emptied within the caller's limit: what is due goes out, the rest goes to a lower level. A slot
//! of a million items is thus taken apart over many calls, and a jump of the clock over years is
//! the same thing. While a large inbox is taken apart what else is due waits for it.
//!
//! **A clock that goes back** joins the slots below the highest changed digit into the one slot
//! they all belong to as seen from the earlier time. It is O(slots), not O(items), and nothing is
//! early or stuck in a future that was a mistake.
//!
//! **Sifting.** Nothing is removed by search, so items whose keys are gone lie here until they fire.
//! When they outnumber the live ones the owner sifts: slot after slot is taken off whole (the *sieve*),
//! and what the owner still knows is placed again, within a limit a call. What is in the sieve fires
//! in time: once its slot is reached it joins the inbox.
//!
//! Costs 6 KiB empty, 16 to 17 bytes an item when full.

mod chunks;

use chunks::{CHUNK_LEN, Chunks, List};
use stoa_stdx::{Rng, UnixMs};

/// The last millisecond the wheel tells apart, in the year 10889. Later deadlines count as this.
pub const DEADLINE_MAX: UnixMs = UnixMs((1 << 48) - 1);

const LEVELS: usize = 8;
const BITS_LOWEST: u32 = 8;
const BITS_HIGHER: u32 = 6;
const SLOTS_LOWEST: usize = 1 << BITS_LOWEST;
const SLOTS_HIGHER: usize = 1 << BITS_HIGHER;
const SLOTS: usize = SLOTS_LOWEST + (LEVELS - 1) * SLOTS_HIGHER;

const _: () = assert!(
    BITS_LOWEST + (LEVELS as u32 - 1) * BITS_HIGHER >= 48,
    "every deadline of 48 bits has a level"
);

/// One armed deadline: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Deadline in the upper 48 bits, arm in the lower 16.
    when: u64,
    /// What the owner finds its entry by. The wheel does not look at it.
    pub cookie: u64,
}

impl Item {
    const NONE: Self = Self { when: 0, cookie: 0 };
    /// None comes before it in their order.
    pub(crate) const FIRST: Self = Self::NONE;

    /// When it is due. Beyond [`DEADLINE_MAX`] it reads as that.
    #[must_use]
    pub const fn deadline(self) -> UnixMs {
        UnixMs(self.when >> 16)
    }

    /// The generation it was armed with. The owner compares it with the entry's and drops what is
    /// stale: nothing is ever removed from the wheel by search.
    #[must_use]
    pub const fn arm(self) -> u16 {
        self.when as u16
    }
}

/// The deadlines of one shard. Owns no clock: it believes the `now` of the last call.
pub struct Wheel {
    /// Where it stands. Every item in a slot is due after this; the inbox may hold any.
    clock: u64,
    len: usize,
    /// Items moved to a lower level, ever.
    cascaded: u64,
    /// Which levels have items, a bit each.
    levels: u32,
    /// Which slots have items. The lowest level has four words, the others one.
    occupied: [[u64; 4]; LEVELS],
    slots: Box<[List]>,
    /// Reached slots and late additions, to be sorted into due and lower levels.
    inbox: List,
    /// The slot that is being sifted, taken off.
    sieve: List,
    /// No item of the sieve is due before.
    sieve_start: u64,
    /// The slot to sift after this one.
    sift_next: usize,
    chunks: Chunks,
}

impl Wheel {
    /// An empty wheel that stands at `now`.
    #[must_use]
    pub fn new(now: UnixMs) -> Self {
        Self {
            clock: clamp(now),
            len: 0,
            cascaded: 0,
            levels: 0,
            occupied: [[0; 4]; LEVELS],
            slots: vec![List::EMPTY; SLOTS].into_boxed_slice(),
            inbox: List::EMPTY,
            sieve: List::EMPTY,
            sieve_start: 0,
            sift_next: 0,
            chunks: Chunks::new(),
        }
    }

    /// Arms a deadline. One that has passed is handed over by the next [`advance`](Self::advance).
    pub fn add(&mut self, deadline: UnixMs, arm: u16, cookie: u64) {
        self.len += 1;
        self.place(Item { when: clamp(deadline) << 16 | u64::from(arm), cookie });
    }

    /// Moves to `now` and appends to `due` what is due by then, in any order, never early. Does at
    /// most `limit` units of work, a unit being an item handed over or moved to a lower level, and
    /// says whether more is waiting: then call again with the same or a later `now`.
    pub fn advance(&mut self, now: UnixMs, limit: usize, due: &mut Vec<Item>) -> bool {
        let now = clamp(now);
        if now < self.clock {
            self.rewind(now);
        }
        if !self.sieve.is_empty() && self.sieve_start <= now {
            let sieve = std::mem::replace(&mut self.sieve, List::EMPTY);
            self.chunks.join(&mut self.inbox, sieve);
        }
        let mut left = limit;
        loop {
            left -= self.empty_inbox(now, left, due);
            if !self.inbox.is_empty() {
                return true;
            }
            let Some((level, slot)) = self.first_slot() else { break };
            let start = self.slot_start(level, slot);
            if start > now {
                break;
            }
            self.clock = start;
            self.inbox = self.take_slot(level, slot);
        }
        self.clock = now;
        if self.len == 0 {
            self.chunks.reset();
        }
        self.chunks.trim();
        false
    }

    /// When to look next: no deadline after the clock is before it. It may be earlier than the
    /// first deadline (a slot of a higher level tells only where it begins); then `advance` moves
    /// that slot down and the next hint is closer. In the past or now if something waits already.
    #[must_use]
    pub fn next_deadline_hint(&self) -> Option<UnixMs> {
        if !self.inbox.is_empty() {
            return Some(UnixMs(self.clock));
        }
        let first = self.first_slot().map(|(level, slot)| self.slot_start(level, slot));
        let sieve = (!self.sieve.is_empty()).then_some(self.sieve_start);
        first.into_iter().chain(sieve).min().map(UnixMs)
    }

    /// Asks `keep` about up to `limit` items and drops those it does not want. True while the round
    /// is not over: a round asks about all that were there when it began and have not fired since.
    /// `keep` hears of no item that waits to be handed over.
    pub fn sift(&mut self, limit: usize, keep: &mut dyn FnMut(Item) -> bool) -> bool {
        let mut batch = [Item::NONE; CHUNK_LEN];
        let mut left = limit;
        while left > 0 {
            let taken = self.chunks.pop(&mut self.sieve, left, &mut batch);
            left -= taken;
            for item in &batch[..taken] {
                if keep(*item) {
                    // Its own slot, or one of a lower level: either was sifted.
                    self.place(*item);
                } else {
                    self.len -= 1;
                }
            }
            if self.sieve.is_empty() {
                let Some((level, slot)) = self.slot_to_sift() else {
                    self.sift_next = 0;
                    return false;
                };
                self.sift_next = slot_index(level, slot) + 1;
                self.sieve_start = self.slot_start(level, slot);
                self.sieve = self.take_slot(level, slot);
            }
        }
        true
    }

    /// Hands over `count` items by chance, stale ones among them, some perhaps twice; all there are if
    /// they are no more than that. Fair as far as chunks are equally full.
    pub fn sample(&self, rng: &mut Rng, count: usize, each: &mut dyn FnMut(Item)) {
        let mut left = count;
        if self.len > count {
            // Chunks may be free, so it is tried more often than wanted.
            for _ in 0..2 * count {
                let items = self.chunks.any(rng);
                if left > 0 && !items.is_empty() {
                    each(*rng.pick(items));
                    left -= 1;
                }
            }
        }
        // Few items, or few in many chunks that are free.
        if left == count {
            let lists = self.slots.iter().chain([&self.inbox, &self.sieve]);
            lists.flat_map(|list| self.chunks.items(*list)).take(count).for_each(each);
        }
    }

    /// Forgets every deadline, in O(slots). The memory goes back a portion with each
    /// `advance` that ends with nothing waiting.
    pub fn clear(&mut self) {
        self.slots.fill(List::EMPTY);
        self.occupied = [[0; 4]; LEVELS];
        self.levels = 0;
        self.inbox = List::EMPTY;
        self.sieve = List::EMPTY;
        self.sift_next = 0;
        self.len = 0;
        self.chunks.reset();
    }

    /// Items armed and not handed over yet, stale ones among them.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when nothing is armed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Items moved to a lower level since the wheel was made.
    #[must_use]
    pub const fn cascaded(&self) -> u64 {
        self.cascaded
    }

    /// Bytes held, those reserved for later items included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val::<[List]>(&self.slots) + self.chunks.bytes()
    }

    /// Into the slot that its deadline has as seen from the clock.
    fn place(&mut self, item: Item) {
        let deadline = item.when >> 16;
        if deadline <= self.clock {
            self.chunks.push(&mut self.inbox, item);
            return;
        }
        let level = level_of(deadline ^ self.clock);
        let slot = digit(deadline, level);
        self.chunks.push(&mut self.slots[slot_index(level, slot)], item);
        self.occupied[level][slot / 64] |= 1 << (slot % 64);
        self.levels |= 1 << level;
    }

    /// Sorts up to `limit` items of the inbox and says how many it were.
    fn empty_inbox(&mut self, now: u64, limit: usize, due: &mut Vec<Item>) -> usize {
        let mut batch = [Item::NONE; CHUNK_LEN];
        let mut done = 0;
        let due_before = due.len();
        // `place` refills the inbox only with what is not after the clock, and the clock is not
        // after `now`: such an item is due and was not placed. So this ends.
        loop {
            let taken = self.chunks.pop(&mut self.inbox, limit - done, &mut batch);
            if taken == 0 {
                break;
            }
            done += taken;
            for item in &batch[..taken] {
                if item.when >> 16 <= now {
                    due.push(*item);
                } else {
                    self.place(*item);
                }
            }
        }
        let handed_over = due.len() - due_before;
        self.len -= handed_over;
        self.cascaded += (done - handed_over) as u64;
        done
    }

    /// The slot that comes first: of the lowest level that has any, the first.
    fn first_slot(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let words = &self.occupied[level];
        let word = words.iter().position(|word| *word != 0)?;
        Some((level, word * 64 + words[word].trailing_zeros() as usize))
    }

    /// The first slot that has items, of those this round of sifting has not had.
    fn slot_to_sift(&self) -> Option<(usize, usize)> {
        (self.sift_next..SLOTS)
            .map(|index| match index.checked_sub(SLOTS_LOWEST) {
                None => (0, index),
                Some(above) => (1 + above / SLOTS_HIGHER, above % SLOTS_HIGHER),
            })
            .find(|(level, slot)| self.occupied[*level][slot / 64] >> (slot % 64) & 1 == 1)
    }

    /// The first millisecond of a slot: the clock's digits above it, its own, zeros below.
    const fn slot_start(&self, level: usize, slot: usize) -> u64 {
        let shift = shift(level);
        let above = shift + bits(level);
        (self.clock >> above << above) | (slot as u64) << shift
    }

    fn take_slot(&mut self, level: usize, slot: usize) -> List {
        let words = &mut self.occupied[level];
        words[slot / 64] &= !(1 << (slot % 64));
        if *words == [0; 4] {
            self.levels &= !(1 << level);
        }
        std::mem::replace(&mut self.slots[slot_index(level, slot)], List::EMPTY)
    }

    /// Moves the clock back. Let `top` be the highest digit in which the two times differ: above
    /// and at `top` every slot is still right, and all items below it share the old clock's digit
    /// at `top`, whose slot was empty because only later digits are in use.
    fn rewind(&mut self, now: u64) {
        let top = level_of(self.clock ^ now);
        let mut joined = List::EMPTY;
        while let Some((level, slot)) = self.first_slot().filter(|(level, _)| *level < top) {
            let list = self.take_slot(level, slot);
            self.chunks.join(&mut joined, list);
        }
        if !joined.is_empty() {
            let slot = digit(self.clock, top);
            assert!(self.slots[slot_index(top, slot)].is_empty(), "only later slots are in use");
            self.slots[slot_index(top, slot)] = joined;
            self.occupied[top][slot / 64] |= 1 << (slot % 64);
            self.levels |= 1 << top;
        }
        self.clock = now;
    }
}

const fn clamp(at: UnixMs) -> u64 {
    if at.0 > DEADLINE_MAX.0 { DEADLINE_MAX.0 } else { at.0 }
}

/// The level of the highest bit of `difference`, which is not 0.
const fn level_of(difference: u64) -> usize {
    let bit = difference.ilog2();
    if bit < BITS_LOWEST { 0 } else { ((bit - BITS_LOWEST) / BITS_HIGHER + 1) as usize }
}

const fn bits(level: usize) -> u32 {
    if level == 0 { BITS_LOWEST } else { BITS_HIGHER }
}

const fn shift(level: usize) -> u32 {
    if level == 0 { 0 } else { BITS_LOWEST + (level as u32 - 1) * BITS_HIGHER }
}

const fn digit(at: u64, level: usize) -> usize {
    (at >> shift(level)) as usize & ((1 << bits(level)) - 1)
}

const fn slot_index(level: usize, slot: usize) -> usize {
    if level == 0 { slot } else { SLOTS_LOWEST + (level - 1) * SLOTS_HIGHER + slot }
}

#[cfg(test)]
mod tests;
