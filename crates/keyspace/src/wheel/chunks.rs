//! Where the wheel's items lie: fixed chunks of 31, linked by index, out of one pool.
//!
//! A `Vec` a slot would waste up to half its room after each doubling, and would copy megabytes in
//! the one `add` that doubles it. A chunk never moves, a freed chunk serves the next slot, and an
//! item costs 16.3 bytes in full chunks (504 bytes for 31 of 16). The price: each list in use has
//! one chunk that is partly empty, at most 0.5 KiB, and a list is walked chunk by chunk.

use stoa_stdx::Rng;

use super::Item;

/// Items in one chunk. Larger wastes more where lists are short, smaller costs more links.
pub(super) const CHUNK_LEN: usize = 31;

/// Chunks in one segment: 252 KiB, so that ten million items need a directory of 15 KiB and the
/// `add` that doubles the directory stays within microseconds.
const SEGMENT_LEN: usize = 512;

/// The steps in which the first segment grows, so that a wheel of few items stays small. The
/// largest copy is 64 chunks, 32 KiB.
const FIRST_SEGMENT_STEPS: [usize; 4] = [4, 16, 64, SEGMENT_LEN];

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Chunk {
    next: u32,
    len: u32,
    items: [Item; CHUNK_LEN],
}

const _: () = assert!(size_of::<Chunk>() == 504, "the figures above rest on this size");

/// A list of chunks, newest first. Its last chunk is known too, so two lists join in O(1).
#[derive(Clone, Copy)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };

    pub(super) const fn is_empty(self) -> bool {
        self.head == NONE
    }
}

/// The pool. Lists are handles into it and are only meaningful with the pool they came from.
pub(super) struct Chunks {
    segments: Vec<Vec<Chunk>>,
    /// Chunks given back, linked by `next`.
    free: u32,
    /// Chunks below this index were handed out since the pool was last empty.
    used: u32,
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self { segments: Vec::new(), free: NONE, used: 0 }
    }

    pub(super) fn push(&mut self, list: &mut List, item: Item) {
        if list.head != NONE {
            let chunk = self.chunk(list.head);
            let len = chunk.len as usize;
            if len < CHUNK_LEN {
                chunk.items[len] = item;
                chunk.len += 1;
                return;
            }
        }
        self.push_chunk(list, item);
    }

    /// Takes up to `limit` items out of the list into `out` and says how many. 0 means that the
    /// list is empty (or `limit` 0).
    pub(super) fn pop(
        &mut self,
        list: &mut List,
        limit: usize,
        out: &mut [Item; CHUNK_LEN],
    ) -> usize {
        if list.head == NONE || limit == 0 {
            return 0;
        }
        let (index, free) = (list.head, self.free);
        let chunk = self.chunk(index);
        let len = chunk.len as usize;
        let taken = len.min(limit);
        out[..taken].copy_from_slice(&chunk.items[len - taken..len]);
        chunk.len -= taken as u32;
        if taken == len {
            list.head = chunk.next;
            chunk.next = free;
            self.free = index;
            if list.head == NONE {
                list.tail = NONE;
            }
        }
        taken
    }

    /// The items of some chunk, by chance; none when it was one that is free.
    pub(super) fn any(&self, rng: &mut Rng) -> &[Item] {
        if self.used == 0 {
            return &[];
        }
        let index = rng.below(u64::from(self.used)) as u32;
        let chunk = self.peek(index);
        &chunk.items[..chunk.len as usize]
    }

    /// The items of a list, newest first.
    pub(super) fn items(&self, list: List) -> impl Iterator<Item = Item> + '_ {
        let first = (list.head != NONE).then(|| self.peek(list.head));
        let next = |chunk: &&Chunk| (chunk.next != NONE).then(|| self.peek(chunk.next));
        std::iter::successors(first, next)
            .flat_map(|chunk| chunk.items[..chunk.len as usize].iter().copied())
    }

    /// Puts all of `from` in front of `list`, without touching the items.
    pub(super) fn join(&mut self, list: &mut List, from: List) {
        if from.is_empty() {
            return;
        }
        self.chunk(from.tail).next = list.head;
        list.head = from.head;
        if list.tail == NONE {
            list.tail = from.tail;
        }
    }

    /// Declares every chunk free. For when no list has an item, or all lists are dropped.
    pub(super) const fn reset(&mut self) {
        self.free = NONE;
        self.used = 0;
    }

    /// Gives at most one segment beyond those in use back to the allocator: a portion, because
    /// unmapping hundreds at once would hold the shard for milliseconds.
    pub(super) fn trim(&mut self) {
        if self.segments.len() > 1 + self.used as usize / SEGMENT_LEN {
            self.segments.pop();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let chunks: usize = match self.segments.as_slice() {
            [] => 0,
            [first, rest @ ..] => first.capacity() + rest.len() * SEGMENT_LEN,
        };
        chunks * size_of::<Chunk>() + self.segments.capacity() * size_of::<Vec<Chunk>>()
    }

    #[cold]
    fn push_chunk(&mut self, list: &mut List, item: Item) {
        let mut items = [Item::NONE; CHUNK_LEN];
        items[0] = item;
        let index = self.place(Chunk { next: list.head, len: 1, items });
        list.head = index;
        if list.tail == NONE {
            list.tail = index;
        }
    }

    fn place(&mut self, chunk: Chunk) -> u32 {
        if self.free != NONE {
            let index = self.free;
            let free = self.chunk(index);
            let next = free.next;
            *free = chunk;
            self.free = next;
            return index;
        }
        let index = self.used;
        assert!(index < NONE, "the wheel holds 133 billion deadlines; add shards");
        let (segment, offset) = (index as usize / SEGMENT_LEN, index as usize % SEGMENT_LEN);
        if segment == self.segments.len() {
            let room = if segment == 0 { FIRST_SEGMENT_STEPS[0] } else { SEGMENT_LEN };
            self.segments.push(Vec::with_capacity(room));
        }
        let chunks = &mut self.segments[segment];
        if offset < chunks.len() {
            chunks[offset] = chunk;
        } else {
            if chunks.len() == chunks.capacity() {
                let room = FIRST_SEGMENT_STEPS.iter().find(|step| **step > offset);
                chunks.reserve_exact(room.map_or(1, |step| step - offset));
            }
            chunks.push(chunk);
        }
        self.used += 1;
        index
    }

    fn peek(&self, index: u32) -> &Chunk {
        &self.segments[index as usize / SEGMENT_LEN][index as usize % SEGMENT_LEN]
    }

    fn chunk(&mut self, index: u32) -> &mut Chunk {
        &mut self.segments[index as usize / SEGMENT_LEN][index as usize % SEGMENT_LEN]
    }
}
