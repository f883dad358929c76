//! A walk over a range of ranks, either way.
//!
//! Over a large set it holds one leaf of the tree, and at its end takes the way down again by rank:
//! a few steps for sixty members, and no links between leaves to keep.

use super::large::Large;
use super::tree::LeafRef;
use super::{Repr, SortedSet, small};
use crate::{Packed, Place, Str};

/// Members with their scores.
#[derive(Clone)]
pub struct Range<'a> {
    place: Walk<'a>,
    /// What is left of the range.
    from: usize,
    to: usize,
    backwards: bool,
}

#[derive(Clone, Copy)]
enum Walk<'a> {
    Small { packed: &'a Packed, next: Option<Place> },
    Large { large: &'a Large, leaf: Option<(LeafRef<'a>, usize)> },
}

impl<'a> Range<'a> {
    pub(super) fn new(set: &'a SortedSet, from: usize, to: usize, backwards: bool) -> Self {
        let first = if backwards { to.wrapping_sub(1) } else { from };
        let place = match &set.0 {
            Repr::Small(packed) => {
                let next = if from < to { small::seek(packed, first) } else { None };
                Walk::Small { packed, next }
            }
            Repr::Large(large) => Walk::Large { large, leaf: None },
        };
        Self { place, from, to, backwards }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = (Str<'a>, f64);

    fn next(&mut self) -> Option<(Str<'a>, f64)> {
        if self.from >= self.to {
            return None;
        }
        let rank = if self.backwards { self.to - 1 } else { self.from };
        if self.backwards {
            self.to -= 1;
        } else {
            self.from += 1;
        }
        match &mut self.place {
            Walk::Small { packed, next } => {
                let place = (*next)?;
                *next = if self.backwards {
                    small::prev(packed, place)
                } else {
                    small::next(packed, place)
                };
                Some(small::get(packed, place))
            }
            Walk::Large { large, leaf } => {
                let (held, at) = leaf.unwrap_or_else(|| large.tree.leaf_at(rank));
                let item = held.get(at);
                *leaf = if self.backwards {
                    at.checked_sub(1).map(|at| (held, at))
                } else {
                    (at + 1 < held.len()).then_some((held, at + 1))
                };
                Some((Str::Bytes(large.records.member(item.handle)), item.score))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.to.saturating_sub(self.from);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Range<'_> {}
