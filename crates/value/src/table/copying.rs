//! Copying a table leaf by leaf, in hash order.

use std::marker::PhantomData;

use super::leaf::Leaf;
use super::{FANOUT, Inner, Node, Table};
use crate::copying::spend;

/// No position of a leaf: the copy is whole.
const WHOLE: u64 = u64::MAX;

impl<S> Table<S> {
    /// An empty table that [`Table::copy_some`] fills.
    pub(crate) fn copy_begin(&self) -> Self {
        Self { root: Node::Leaf(Leaf::default()), seed: self.seed.clone(), shape: PhantomData }
    }

    /// Copies about `left` bytes from hash position `at` on. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, at: &mut u64, left: &mut usize) -> bool {
        while *at != WHOLE {
            if *left == 0 {
                return true;
            }
            let Some(level) = copy_leaf(&self.root, &mut to.root, *at, 0, left) else {
                return true;
            };
            // Behind the leaf: each level has four bits of the hash, and the root alone has them all.
            let behind = 1_u64.checked_shl(u64::BITS - 4 * level);
            *at = behind.and_then(|len| at.checked_add(len)).unwrap_or(WHOLE);
        }
        false
    }
}

/// Copies the leaf of a hash, and gives its level; None when some of it is left.
fn copy_leaf(from: &Node, to: &mut Node, hash: u64, level: u32, left: &mut usize) -> Option<u32> {
    match (from, &mut *to) {
        (Node::Inner(from), Node::Inner(to)) => {
            let child = (hash >> 60) as usize;
            copy_leaf(&from.children[child], &mut to.children[child], hash << 4, level + 1, left)
        }
        (Node::Inner(inner), Node::Leaf(_)) => {
            let children: [Node; FANOUT] = std::array::from_fn(|_| Node::Leaf(Leaf::default()));
            *to = Node::Inner(Box::new(Inner { len: inner.len, children }));
            spend(left, size_of::<Inner>());
            copy_leaf(from, to, hash, level, left)
        }
        (Node::Leaf(from), Node::Leaf(to)) => from.copy_some(to, left).then_some(level),
        (Node::Leaf(_), Node::Inner(_)) => crate::copying::other_form(),
    }
}
