//! Copying a tree leaf by leaf, in order.

use super::{Child, INNER_LEN_MAX, Leaf, Node, Tree};
use crate::copying::{other_form, spend};

impl Tree {
    /// What [`Tree::copy_some`] fills.
    pub(crate) fn copy_begin(&self) -> Self {
        Self { root: self.root.copy_begin(), len: self.len }
    }

    /// Copies about `left` bytes. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        while *left > 0 {
            if !copy_next(&self.root, &mut to.root) {
                return false;
            }
            spend(left, size_of::<Leaf>());
        }
        true
    }
}

impl Node {
    /// A leaf is copied whole.
    fn copy_begin(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Inner(_) => Self::Inner(Vec::with_capacity(INNER_LEN_MAX + 1)),
        }
    }
}

/// Copies one node below this one. False when all are there.
fn copy_next(from: &Node, to: &mut Node) -> bool {
    match (from, to) {
        (Node::Leaf(_), Node::Leaf(_)) => false,
        (Node::Inner(from), Node::Inner(to)) => {
            let whole = to.len();
            if let Some(last) = to.last_mut()
                && copy_next(&from[whole - 1].node, &mut last.node)
            {
                return true;
            }
            let Some(next) = from.get(whole) else { return false };
            let Child { score, handle, count, ref node } = *next;
            to.push(Child { score, handle, count, node: node.copy_begin() });
            true
        }
        (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => other_form(),
    }
}
