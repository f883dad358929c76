//! Which fields of a large hash are due when: an ordered, counted tree over records of their names.
//!
//! Counted, because a field past its deadline is gone for every reader at once while it is reclaimed
//! in portions: the length of a hash is what it holds less what is due, and a million fields due
//! together must not be walked to say so. It is the tree of the sorted set, and costs about as much
//! for each field with a deadline: 12 bytes and its name.

use crate::sorted_set::{Item, Records, Tree};

/// Deadlines with their fields.
#[derive(Clone)]
pub(super) struct Due {
    records: Records,
    tree: Tree,
}

/// A deadline as the tree holds it. Positive doubles are in the order of their bits, and the tree
/// compares nothing itself.
const fn score(deadline: u64) -> f64 {
    f64::from_bits(deadline)
}

impl Due {
    pub(super) fn new() -> Self {
        Self { records: Records::new(), tree: Tree::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.tree.len()
    }

    /// Adds a field that is not there with this deadline.
    pub(super) fn add(&mut self, deadline: u64, field: &[u8]) {
        let handle = self.records.add(field, score(deadline));
        let Self { records, tree } = self;
        let item = Item { score: score(deadline), handle };
        tree.insert(item, |item| is_upto(item, deadline, field, records));
    }

    /// Takes out a field that is there with this deadline.
    pub(super) fn remove(&mut self, deadline: u64, field: &[u8]) {
        let Self { records, tree } = self;
        let item = tree.remove(|item| is_upto(item, deadline, field, records));
        records.remove(item.handle);
    }

    /// The earliest deadline.
    pub(super) fn first(&self) -> Option<u64> {
        self.at(0)
    }

    /// The latest deadline.
    pub(super) fn last(&self) -> Option<u64> {
        self.at(self.len().checked_sub(1)?)
    }

    /// How many deadlines lie before `at`.
    pub(super) fn count_before(&self, at: u64) -> usize {
        self.tree.count_upto(|item| item.score.to_bits() < at)
    }

    /// The earliest deadline that does not lie before `at`.
    pub(super) fn next_from(&self, at: u64) -> Option<u64> {
        self.at(self.count_before(at))
    }

    /// Takes out the field that is due first, after a look at it.
    pub(super) fn pop_first(&mut self, look: impl FnOnce(&[u8])) {
        let item = self.tree.remove_at(0);
        look(self.records.member(item.handle));
        self.records.remove(item.handle);
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.records.bytes() + self.tree.bytes()
    }

    /// Frees about `left` blocks, and takes them off it; what remains is good for nothing else. True
    /// when there are more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            if !(self.records.free_one() || self.tree.free_one()) {
                return false;
            }
            *left -= 1;
        }
        true
    }

    /// What [`Due::copy_some`] fills.
    pub(super) fn copy_begin(&self) -> Self {
        Self { records: self.records.copy_begin(), tree: self.tree.copy_begin() }
    }

    /// Copies about `left` bytes. True when there are more.
    pub(super) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        self.records.copy_some(&mut to.records, left) || self.tree.copy_some(&mut to.tree, left)
    }

    fn at(&self, n: usize) -> Option<u64> {
        (n < self.len()).then(|| {
            let (leaf, at) = self.tree.leaf_at(n);
            leaf.get(at).score.to_bits()
        })
    }
}

impl std::fmt::Debug for Due {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let deadlines = (0..self.len()).map(|n| self.at(n));
        f.debug_list().entries(deadlines.flatten()).finish()
    }
}

/// Whether an entry is not behind a field of that deadline. Fields of one deadline are in the order of
/// their bytes.
fn is_upto(item: Item, deadline: u64, field: &[u8], records: &Records) -> bool {
    let at = item.score.to_bits();
    at < deadline || (at == deadline && records.member(item.handle) <= field)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stoa_stdx::Rng;

    use super::Due;

    #[test]
    fn deadlines_agree_with_an_ordered_set() {
        for seed in 0..if cfg!(miri) { 2 } else { 30 } {
            let mut rng = Rng::new(seed);
            let (mut due, mut model) = (Due::new(), BTreeSet::new());
            for step in 0..if cfg!(miri) { 100 } else { 1_500 } {
                let case = format!("seed {seed}, step {step}");
                let far = if rng.one_in(9) { 1 << 62 } else { 0 };
                let (at, field) = (1 + far + rng.below(50), rng.below(60).to_string().into_bytes());
                match rng.below(5) {
                    0 => {
                        if let Some(first) = model.pop_first() {
                            let (at, field): (u64, Vec<u8>) = first;
                            assert_eq!(due.first(), Some(at), "{case}");
                            due.pop_first(|popped| assert_eq!(popped, field, "{case}"));
                        }
                    }
                    1 => {
                        if model.remove(&(at, field.clone())) {
                            due.remove(at, &field);
                        }
                    }
                    _ => {
                        if model.insert((at, field.clone())) {
                            due.add(at, &field);
                        }
                    }
                }
                let before = model.iter().filter(|(other, _)| *other < at).count();
                assert_eq!((due.len(), due.count_before(at)), (model.len(), before), "{case}");
                assert_eq!(due.first(), model.first().map(|(at, _)| *at), "{case}");
                assert_eq!(due.last(), model.last().map(|(at, _)| *at), "{case}");
                let next = model.iter().find(|(other, _)| *other >= at).map(|(at, _)| *at);
                assert_eq!(due.next_from(at), next, "{case}");
            }
            while due.free_some(&mut 2) {}
        }
    }
}
