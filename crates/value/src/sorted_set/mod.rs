//! The sorted set: distinct members in the order of their scores, and of their bytes where scores
//! are equal.
//!
//! Small ones are one packed buffer. A large one keeps each member once, in a record that a hash
//! table finds by its bytes and a counted tree by score or rank; some 50 bytes a member of 15 in
//! all. Ranges of score, of bytes and of rank are one thing here: a predicate gives a rank (see
//! [`SortedSet::count_before`]), and ranks give a range.

mod index;
mod large;
#[cfg(test)]
mod model_test;
mod range;
mod records;
mod small;
mod tree;

use large::Large;
pub use range::Range;
pub(crate) use records::Records;
pub(crate) use tree::{Item, Tree};

use crate::copying::other_form;
use crate::{Packed, Rules, Str};

/// A sorted set.
#[derive(Clone)]
pub struct SortedSet(Repr);

#[derive(Clone)]
enum Repr {
    Small(Packed),
    Large(Box<Large>),
}

impl Default for SortedSet {
    fn default() -> Self {
        Self(Repr::Small(Packed::new()))
    }
}

impl SortedSet {
    /// Members.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Small(packed) => small::len(packed),
            Repr::Large(large) => large.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Small(packed) => packed.is_empty(),
            Repr::Large(large) => large.len() == 0,
        }
    }

    /// OBJECT ENCODING's word.
    #[must_use]
    pub const fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Small(_) => "listpack",
            Repr::Large(_) => "skiplist",
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Repr::Small(packed) => packed.capacity(),
            Repr::Large(large) => large.bytes(),
        }
    }

    /// The buffer of a small set: member, score, member, score in order.
    #[must_use]
    pub fn packed(&self) -> Option<&Packed> {
        match &self.0 {
            Repr::Small(packed) => Some(packed),
            Repr::Large(_) => None,
        }
    }

    /// The score of a member.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Small(packed) => small::score(packed, member),
            Repr::Large(large) => large.score(member),
        }
    }

    /// Sets the score of a member, which comes to be if it is not there. Gives the one it had.
    ///
    /// # Panics
    /// When the score is no number.
    pub fn insert(&mut self, member: &[u8], score: f64, rules: &Rules) -> Option<f64> {
        assert!(!score.is_nan(), "a score has a place in an order");
        match &mut self.0 {
            Repr::Large(large) => large.insert(member, score),
            Repr::Small(packed) => {
                if let Some(place) = small::find(packed, member) {
                    let (_, old) = small::get(packed, place);
                    if old != score {
                        small::remove(packed, place);
                        small::insert_new(packed, member, score);
                    }
                    return Some(old);
                }
                let limits = &rules.limits;
                if small::len(packed) < limits.zset_max_entries
                    && member.len() <= limits.zset_max_value
                {
                    small::insert_new(packed, member, score);
                } else {
                    self.enlarge(rules).insert_new(member, score);
                }
                None
            }
        }
    }

    /// Says what is to come into an empty set, so that a large one is made large at once.
    pub fn expect(&mut self, count: usize, member_len_max: usize, rules: &Rules) {
        let limits = &rules.limits;
        let is_large = count > limits.zset_max_entries || member_len_max > limits.zset_max_value;
        if self.is_empty() && is_large {
            self.enlarge(rules);
        }
    }

    /// Removes a member; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Repr::Large(large) => large.remove(member),
            Repr::Small(packed) => {
                let place = small::find(packed, member)?;
                let (_, score) = small::get(packed, place);
                small::remove(packed, place);
                Some(score)
            }
        }
    }

    /// Removes `count` members from rank `from` on, each after a look at it.
    pub fn remove_range(&mut self, from: usize, count: usize, look: &mut dyn FnMut(&[u8], f64)) {
        for _ in 0..count.min(self.len().saturating_sub(from)) {
            match &mut self.0 {
                Repr::Large(large) => large.remove_at(from, look),
                Repr::Small(packed) => {
                    let place = small::seek(packed, from).expect("held against the length");
                    let (member, score) = small::get(packed, place);
                    member.with(|member| look(member, score));
                    small::remove(packed, place);
                }
            }
        }
    }

    /// The rank of a member, from the lowest score, and its score.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Repr::Large(large) => large.rank(member),
            Repr::Small(packed) => small::pairs(packed, packed.first())
                .enumerate()
                .find(|(_, pair)| pair.member.with(|other| other == member))
                .map(|(rank, pair)| (rank, pair.score)),
        }
    }

    /// How many members are before a place in the order: `before` holds for the first so many and for
    /// no other.
    pub fn count_before(&self, mut before: impl FnMut(f64, Str<'_>) -> bool) -> usize {
        match &self.0 {
            Repr::Large(large) => large.tree.count_upto(|item| {
                before(item.score, Str::Bytes(large.records.member(item.handle)))
            }),
            Repr::Small(packed) => small::pairs(packed, packed.first())
                .take_while(|pair| before(pair.score, pair.member))
                .count(),
        }
    }

    /// As [`SortedSet::count_before`], for a place that scores alone decide.
    pub fn count_before_score(&self, mut before: impl FnMut(f64) -> bool) -> usize {
        match &self.0 {
            Repr::Large(large) => large.tree.count_upto(|item| before(item.score)),
            Repr::Small(_) => self.count_before(|score, _| before(score)),
        }
    }

    /// Members and scores of ranks `from..to`, or backwards from the last of them.
    #[must_use]
    pub fn range(&self, from: usize, to: usize, backwards: bool) -> Range<'_> {
        let to = to.min(self.len());
        Range::new(self, from.min(to), to, backwards)
    }

    /// All in order.
    #[must_use]
    pub fn iter(&self) -> Range<'_> {
        self.range(0, usize::MAX, false)
    }

    /// Hands over members from `cursor` on, at least `count` if there are so many: of a small set
    /// all, of a large one in an order that no change of the set changes. A member that is there from the
    /// first call to the last is handed over. Gives the cursor to go on from; None at the end.
    pub fn scan(&self, cursor: u64, count: usize, each: &mut dyn FnMut(&[u8], f64)) -> Option<u64> {
        match &self.0 {
            Repr::Large(large) => large.scan(cursor, count, each),
            Repr::Small(packed) => {
                small::pairs(packed, packed.first())
                    .for_each(|pair| pair.member.with(|member| each(member, pair.score)));
                None
            }
        }
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub fn free_some(&mut self, left: &mut usize) -> bool {
        let more = match &mut self.0 {
            Repr::Small(_) => {
                *left = left.saturating_sub(1);
                false
            }
            Repr::Large(large) => large.free_some(left),
        };
        if !more {
            *self = Self::default();
        }
        more
    }

    /// What [`Self::copy_some`] fills; a small one is copied at once.
    pub(crate) fn copy_begin(&self) -> Self {
        Self(match &self.0 {
            Repr::Large(large) => Repr::Large(Box::new(large.copy_begin())),
            Repr::Small(packed) => Repr::Small(packed.clone()),
        })
    }

    /// Copies about `left` bytes, from where the copy is. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, _: &mut u64, left: &mut usize) -> bool {
        match (&self.0, &mut to.0) {
            (Repr::Large(from), Repr::Large(to)) => from.copy_some(to, left),
            (Repr::Small(_), Repr::Small(_)) => false,
            (Repr::Large(_), Repr::Small(_)) | (Repr::Small(_), Repr::Large(_)) => other_form(),
        }
    }

    /// Whether it is dropped in no time.
    #[must_use]
    pub fn is_light(&self) -> bool {
        match &self.0 {
            Repr::Small(_) => true,
            Repr::Large(large) => large.is_light(),
        }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().zip(other.iter()).all(|((member, score), (other, other_score))| {
                score == other_score && member.to_vec() == other.to_vec()
            })
    }

    fn enlarge(&mut self, rules: &Rules) -> &mut Large {
        let mut large = Box::new(Large::new(rules.seed.clone()));
        for (member, score) in self.iter() {
            member.with(|member| large.insert_new(member, score));
        }
        self.0 = Repr::Large(large);
        match &mut self.0 {
            Repr::Large(large) => large,
            Repr::Small(_) => unreachable!("just made large"),
        }
    }
}

impl std::fmt::Debug for SortedSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
