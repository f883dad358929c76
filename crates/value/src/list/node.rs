//! One block of a long list: packed elements with room at either end.
//!
//! A listpack grows at its end only, and a push to its head moves all of it. Here the elements lie
//! somewhere in the block, so pushes and pops at both ends touch the element alone.

use crate::Str;
use crate::buf::class;
use crate::element::{self, Encoded};
use crate::packed::{Iter, IterBack};

/// Blocks double up to this size, and then grow as they must.
const GROW_MAX: usize = 8_192;

#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    bytes: Box<[u8]>,
    /// Where the elements begin and end in `bytes`.
    start: u32,
    end: u32,
    count: u32,
}

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head.
    Front,
    /// The tail.
    Back,
}

impl Node {
    /// Of elements as they lie in a packed buffer.
    pub(super) fn of(elements: &[u8], count: usize) -> Self {
        let mut bytes = vec![0; class(elements.len())].into_boxed_slice();
        bytes[..elements.len()].copy_from_slice(elements);
        Self { bytes, start: 0, end: elements.len() as u32, count: count as u32 }
    }

    pub(super) const fn count(&self) -> usize {
        self.count as usize
    }

    pub(super) const fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the elements.
    pub(super) const fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    pub(super) fn elements(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }

    pub(super) fn read(&self, at: usize) -> Str<'_> {
        element::read(&self.elements()[at..]).0
    }

    /// From element `n` on, which is there.
    pub(super) fn iter_from(&self, n: usize) -> Iter<'_> {
        Iter::over(&self.elements()[self.offset(n)..])
    }

    /// From element `n` back to the first.
    pub(super) fn iter_back_from(&self, n: usize) -> IterBack<'_> {
        IterBack::over(&self.elements()[..self.offset(n + 1)])
    }

    /// Where element `n` begins; `n` elements further than any: the end.
    pub(super) fn offset(&self, n: usize) -> usize {
        let elements = self.elements();
        if n <= self.count() / 2 {
            let mut at = 0;
            for _ in 0..n {
                at += element::len_at(&elements[at..]);
            }
            at
        } else {
            let mut at = elements.len();
            for _ in n..self.count() {
                at -= element::len_before(&elements[..at]);
            }
            at
        }
    }

    /// The first or last element.
    pub(super) fn end(&self, end: End) -> Str<'_> {
        self.end_with_len(end).0
    }

    /// The same with the bytes it takes.
    fn end_with_len(&self, end: End) -> (Str<'_>, usize) {
        let elements = self.elements();
        match end {
            End::Front => element::read(elements),
            End::Back => element::read(&elements[elements.len() - element::len_before(elements)..]),
        }
    }

    /// Takes the first or last element out, after a look at it.
    pub(super) fn pop(&mut self, end: End, look: impl FnOnce(Str<'_>)) {
        let (text, len) = self.end_with_len(end);
        look(text);
        match end {
            End::Front => self.start += len as u32,
            End::Back => self.end -= len as u32,
        }
        self.count -= 1;
    }

    pub(super) fn push(&mut self, end: End, new: Encoded<'_>) {
        let len = new.len();
        self.make_room(end, len);
        let at = match end {
            End::Front => {
                self.start -= len as u32;
                self.start as usize
            }
            End::Back => {
                self.end += len as u32;
                self.end as usize - len
            }
        };
        new.write(&mut self.bytes[at..at + len]);
        self.count += 1;
    }

    /// Takes out up to `count` elements at one end; gives how many.
    pub(super) fn cut(&mut self, end: End, count: usize) -> usize {
        let count = count.min(self.count());
        match end {
            End::Front => self.start += self.offset(count) as u32,
            End::Back => {
                let keep = self.offset(self.count() - count);
                self.end = self.start + keep as u32;
            }
        }
        self.count -= count as u32;
        count
    }

    /// Replaces what lies from `at` to `end` by `new`, or by nothing.
    pub(super) fn splice(&mut self, at: usize, end: usize, new: Option<Encoded<'_>>) {
        let len = new.map_or(0, |new| new.len());
        let old = end - at;
        if len > old {
            self.make_room(End::Back, len - old);
        }
        let start = self.start as usize;
        self.bytes.copy_within(start + end..self.end as usize, start + at + len);
        self.end = (self.end as usize + len - old) as u32;
        if let Some(new) = new {
            new.write(&mut self.bytes[start + at..start + at + len]);
        }
    }

    /// Puts an element before the one that begins at `at`.
    pub(super) fn insert(&mut self, at: usize, new: Encoded<'_>) {
        self.splice(at, at, Some(new));
        self.count += 1;
    }

    /// Puts another element where one begins.
    pub(super) fn replace(&mut self, at: usize, new: Encoded<'_>) {
        let end = at + element::len_at(&self.elements()[at..]);
        self.splice(at, end, Some(new));
    }

    /// Takes out `count` elements from number `n` on.
    pub(super) fn remove(&mut self, n: usize, count: usize) {
        let (at, end) = (self.offset(n), self.offset(n + count));
        self.splice(at, end, None);
        self.count -= count as u32;
    }

    /// Takes out elements that are `wanted`, at most `left`, from one end on; gives how many.
    pub(super) fn remove_matching(&mut self, wanted: Encoded<'_>, from: End, left: usize) -> usize {
        let mut removed = 0;
        let mut at = match from {
            End::Front => 0,
            End::Back => self.len(),
        };
        while removed < left {
            let elements = self.elements();
            if from == End::Back {
                if at == 0 {
                    break;
                }
                at -= element::len_before(&elements[..at]);
            } else if at == elements.len() {
                break;
            }
            let len = element::len_at(&elements[at..]);
            if wanted.is_at(&elements[at..]) {
                self.splice(at, at + len, None);
                self.count -= 1;
                removed += 1;
            } else if from == End::Front {
                at += len;
            }
        }
        removed
    }

    /// Cuts it in two before element `n`; gives the second part.
    pub(super) fn split_off(&mut self, n: usize) -> Self {
        let at = self.offset(n);
        let rest = Self::of(&self.elements()[at..], self.count() - n);
        self.end = self.start + at as u32;
        self.count = n as u32;
        rest
    }

    /// Gives up room that will hardly be needed: the list goes on in another block.
    pub(super) fn seal(&mut self) {
        let capacity = class(self.len());
        if capacity < self.bytes.len() {
            *self = Self::of(self.elements(), self.count());
        }
    }

    /// Room for `len` bytes at one end.
    fn make_room(&mut self, end: End, len: usize) {
        let free = match end {
            End::Front => self.start as usize,
            End::Back => self.bytes.len() - self.end as usize,
        };
        if free >= len {
            return;
        }
        let used = self.len();
        let wanted = used + len;
        // Moving is worth it while there is much room at the other end, else it would be every time.
        if wanted + wanted / 4 <= self.bytes.len() {
            return self.settle(end, used);
        }
        let capacity = class(wanted.max((2 * wanted).min(GROW_MAX)));
        let mut bytes = vec![0; capacity].into_boxed_slice();
        let start = if end == End::Front { capacity - used } else { 0 };
        bytes[start..start + used].copy_from_slice(self.elements());
        self.bytes = bytes;
        self.start = start as u32;
        self.end = (start + used) as u32;
    }

    /// Moves the elements so that all room is at `end`.
    fn settle(&mut self, end: End, used: usize) {
        let start = if end == End::Front { self.bytes.len() - used } else { 0 };
        self.bytes.copy_within(self.start as usize..self.end as usize, start);
        self.start = start as u32;
        self.end = (start + used) as u32;
    }
}
