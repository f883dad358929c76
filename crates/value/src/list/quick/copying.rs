//! Copying a long list block by block.

use std::collections::VecDeque;

use super::{Chunk, Quick};
use crate::copying::spend;

impl Quick {
    /// An empty list that [`Quick::copy_some`] fills.
    pub(in super::super) fn copy_begin(&self) -> Self {
        let chunks = VecDeque::with_capacity(self.chunks.len());
        Self { chunks, len: self.len }
    }

    /// Copies about `left` bytes. True when there are more.
    pub(in super::super) fn copy_some(&self, to: &mut Self, left: &mut usize) -> bool {
        loop {
            let whole = to.chunks.len();
            if let Some(last) = to.chunks.back_mut() {
                let from = &self.chunks[whole - 1].nodes;
                while let Some(node) = from.get(last.nodes.len()) {
                    if *left == 0 {
                        return true;
                    }
                    last.nodes.push_back(node.clone());
                    spend(left, node.capacity());
                }
            }
            let Some(next) = self.chunks.get(whole) else { return false };
            let nodes = VecDeque::with_capacity(next.nodes.len());
            to.chunks.push_back(Chunk { nodes, len: next.len });
        }
    }
}
