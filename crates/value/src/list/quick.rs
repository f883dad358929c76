//! A long list: packed blocks in chunks, each knowing how many elements it has.
//!
//! A place is found by skipping chunks, then blocks, then elements. Two levels rather than a chain of
//! blocks: a million blocks are ten thousand chunks, so that neither a search nor the growing of the
//! outer row takes long.

mod copying;

use std::collections::VecDeque;

use super::node::{End, Node};
use super::run::{Run, RunBack};
use crate::element::Encoded;
use crate::{Limits, Str};

/// Nodes up to which dropping all at once takes no time worth dividing.
const LIGHT_NODES_MAX: usize = 16;
/// A node is sealed when the one before it at the list's end has a block of this part of its own.
const SEAL_PART: usize = 4;
/// Nodes of a chunk.
const CHUNK_MAX: usize = 128;

#[derive(Clone, Debug, Default)]
struct Chunk {
    nodes: VecDeque<Node>,
    len: usize,
}

/// The list. No chunk and no node in it is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Quick {
    chunks: VecDeque<Chunk>,
    len: usize,
}

/// Where a node is.
#[derive(Clone, Copy)]
struct At {
    chunk: usize,
    node: usize,
}

/// What a node may hold.
#[derive(Clone, Copy)]
pub(super) struct NodeLimit {
    bytes: usize,
    count: usize,
}

impl NodeLimit {
    /// Bytes of a node when elements are counted.
    const SAFETY: usize = 8_192;

    pub(super) fn of(limits: &Limits) -> Self {
        match limits.list_max_size {
            count @ 0.. => Self { bytes: Self::SAFETY, count: count.max(1) as usize },
            level => {
                let level = level.unsigned_abs().min(5) as usize;
                Self { bytes: [4_096, 8_192, 16_384, 32_768, 65_536][level - 1], count: usize::MAX }
            }
        }
    }

    pub(super) const fn allows(self, bytes: usize, count: usize) -> bool {
        bytes <= self.bytes && count <= self.count
    }

    pub(super) const fn halved(self) -> Self {
        let count = if self.count == usize::MAX { self.count } else { self.count / 2 };
        Self { bytes: self.bytes / 2, count }
    }
}

/// What a listpack has besides its elements, as the directive counts.
pub(super) const FRAME: usize = 7;
/// What an element is taken to need besides its bytes.
const OVERHEAD: usize = 8;

impl Quick {
    pub(super) fn of(node: Node) -> Self {
        let len = node.count();
        let mut quick = Self::default();
        if len > 0 {
            quick.chunks.push_back(Chunk { nodes: VecDeque::from([node]), len });
            quick.len = len;
        }
        quick
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        let of_chunk = |chunk: &Chunk| {
            chunk.nodes.capacity() * size_of::<Node>()
                + chunk.nodes.iter().map(Node::capacity).sum::<usize>()
        };
        size_of::<Self>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.chunks.iter().map(of_chunk).sum::<usize>()
    }

    /// How many nodes there are.
    pub(super) fn node_count(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.nodes.len()).sum()
    }

    /// All nodes in order, from one on: a chunk before it costs one comparison.
    pub(super) fn nodes_from(&self, at: usize) -> impl Iterator<Item = &Node> {
        let (mut first, mut left) = (0, at);
        for chunk in &self.chunks {
            if left < chunk.nodes.len() {
                break;
            }
            left -= chunk.nodes.len();
            first += 1;
        }
        self.chunks.range(first..).flat_map(|chunk| &chunk.nodes).skip(left)
    }

    /// The only node, if there is one only.
    #[inline]
    pub(super) fn only_node(&self) -> Option<&Node> {
        let chunk = self.chunks.front().filter(|_| self.chunks.len() == 1)?;
        chunk.nodes.front().filter(|_| chunk.nodes.len() == 1)
    }

    pub(super) fn is_light(&self) -> bool {
        self.chunks.len() <= 1
            && self.chunks.front().is_none_or(|chunk| chunk.nodes.len() <= LIGHT_NODES_MAX)
    }

    /// Frees about `left` nodes, and takes them off it. True when there are more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            let Some(chunk) = self.chunks.back_mut() else { return false };
            *left -= 1;
            if chunk.nodes.pop_back().is_none() {
                self.chunks.pop_back();
            }
        }
        !self.chunks.is_empty()
    }

    pub(super) fn end(&self, end: End) -> Option<Str<'_>> {
        let node = match end {
            End::Front => self.chunks.front()?.nodes.front()?,
            End::Back => self.chunks.back()?.nodes.back()?,
        };
        Some(node.end(end))
    }

    pub(super) fn push(&mut self, end: End, text: &[u8], limit: NodeLimit) {
        let new = Encoded::of(text);
        let chunk = match end {
            End::Front => self.chunks.front_mut(),
            End::Back => self.chunks.back_mut(),
        };
        let node = chunk.and_then(|chunk| {
            chunk.len += 1;
            match end {
                End::Front => chunk.nodes.front_mut(),
                End::Back => chunk.nodes.back_mut(),
            }
        });
        self.len += 1;
        match node {
            Some(node) if fits(node, text, limit) => {
                if node.push(end, new) {
                    self.seal_behind(end);
                }
            }
            node => {
                let counted = node.is_some();
                self.push_node(end, new, counted);
                self.seal_behind(end);
            }
        }
    }

    /// Seals the node behind the one at an end, once that has grown somewhat: a list that goes up and
    /// down where one node ends would seal and open it each time.
    #[cold]
    fn seal_behind(&mut self, end: End) {
        let mut at = match end {
            End::Front => Some(At { chunk: 0, node: 0 }),
            End::Back => self.last(),
        };
        let grown = at.map_or(0, |at| self.node(at).capacity());
        at = match end {
            End::Front => self.real(At { chunk: 0, node: 1 }),
            End::Back => at.and_then(|at| self.before(at)),
        };
        if let Some(at) = at
            && grown >= self.node(at).capacity() / SEAL_PART
        {
            self.node_mut(at).seal();
        }
    }

    /// Adds a node of one element, which is counted already in the chunk at that end, if there is one.
    fn push_node(&mut self, end: End, new: Encoded<'_>, counted: bool) {
        let mut node = Node::default();
        node.push(end, new);
        let row = match end {
            End::Front => self.chunks.front_mut(),
            End::Back => self.chunks.back_mut(),
        };
        let chunk = match row {
            Some(chunk) if chunk.nodes.len() < CHUNK_MAX => chunk,
            full => {
                if let Some(full) = full.filter(|_| counted) {
                    full.len -= 1;
                }
                let fresh = Chunk { nodes: VecDeque::new(), len: 1 };
                match end {
                    End::Front => {
                        self.chunks.push_front(fresh);
                        &mut self.chunks[0]
                    }
                    End::Back => {
                        self.chunks.push_back(fresh);
                        let last = self.chunks.len() - 1;
                        &mut self.chunks[last]
                    }
                }
            }
        };
        match end {
            End::Front => chunk.nodes.push_front(node),
            End::Back => chunk.nodes.push_back(node),
        }
    }

    /// Takes out `count` elements at one end, or all.
    pub(super) fn cut(&mut self, end: End, mut count: usize) {
        while count > 0 {
            let chunk = match end {
                End::Front => self.chunks.front_mut(),
                End::Back => self.chunks.back_mut(),
            };
            let Some(chunk) = chunk else { return };
            let node = match end {
                End::Front => chunk.nodes.front_mut(),
                End::Back => chunk.nodes.back_mut(),
            };
            let node = node.expect("no chunk is empty");
            let removed = node.cut(end, count);
            let emptied = node.count() == 0;
            chunk.len -= removed;
            self.len -= removed;
            count -= removed;
            if emptied {
                self.drop_end_node(end);
            }
        }
    }

    /// Takes out the element at one end, after a look at it.
    #[inline]
    pub(super) fn pop(&mut self, end: End, look: impl FnOnce(Str<'_>)) {
        let chunk = match end {
            End::Front => self.chunks.front_mut(),
            End::Back => self.chunks.back_mut(),
        };
        let Some(chunk) = chunk else { return };
        let node = match end {
            End::Front => chunk.nodes.front_mut(),
            End::Back => chunk.nodes.back_mut(),
        };
        let node = node.expect("no chunk is empty");
        node.pop(end, look);
        chunk.len -= 1;
        self.len -= 1;
        if node.count() == 0 {
            self.drop_end_node(end);
        }
    }

    /// The node at one end has become empty.
    fn drop_end_node(&mut self, end: End) {
        let chunk = match end {
            End::Front => self.chunks.front_mut(),
            End::Back => self.chunks.back_mut(),
        };
        let Some(chunk) = chunk else { return };
        match end {
            End::Front => chunk.nodes.pop_front(),
            End::Back => chunk.nodes.pop_back(),
        };
        if chunk.nodes.is_empty() {
            match end {
                End::Front => self.chunks.pop_front(),
                End::Back => self.chunks.pop_back(),
            };
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Str<'_>> {
        let (at, n) = self.locate(index)?;
        Some(self.node(at).get(n))
    }

    pub(super) fn iter_from(&self, index: usize) -> QuickIter<'_> {
        let Some((at, n)) = self.locate(index) else {
            return QuickIter {
                quick: self,
                at: At { chunk: self.chunks.len(), node: 0 },
                rest: Run::over(b"", false),
            };
        };
        QuickIter { quick: self, at, rest: self.node(at).run_from(n) }
    }

    pub(super) fn iter_back_from(&self, index: usize) -> QuickIterBack<'_> {
        let Some((at, n)) = self.locate(index) else {
            return QuickIterBack {
                quick: self,
                at: At { chunk: 0, node: 0 },
                rest: RunBack::over(b"", true),
            };
        };
        QuickIterBack { quick: self, at, rest: self.node(at).run_back_from(n) }
    }

    pub(super) fn set(&mut self, index: usize, text: &[u8], limit: NodeLimit) -> bool {
        let Some((at, n)) = self.locate(index) else { return false };
        let node = self.node_mut(at);
        let rest = node.sealed_len() - node.get(n).len().min(node.sealed_len());
        if node.count() == 1 || limit.allows(rest + text.len() + FRAME + OVERHEAD, node.count()) {
            node.replace(n, Encoded::of(text));
        } else {
            self.remove(index, 1);
            self.insert(index, text, limit);
        }
        true
    }

    /// Puts an element before number `index`, or at the end.
    pub(super) fn insert(&mut self, index: usize, text: &[u8], limit: NodeLimit) {
        let Some((at, n)) = self.locate(index) else { return self.push(End::Back, text, limit) };
        let new = Encoded::of(text);
        let node = self.node_mut(at);
        if fits(node, text, limit) {
            node.insert(n, new);
        } else {
            // In front of the node, or between its halves.
            let rest = (n > 0).then(|| node.split_off(n));
            let before = At { node: at.node + usize::from(rest.is_some()), ..at };
            let nodes = &mut self.chunks[at.chunk].nodes;
            if let Some(rest) = rest {
                nodes.insert(before.node, rest);
            }
            let mut node = Node::default();
            node.push(End::Back, new);
            nodes.insert(before.node, node);
        }
        self.chunks[at.chunk].len += 1;
        self.len += 1;
        self.divide(at.chunk);
    }

    /// Takes out `count` elements from number `index` on.
    pub(super) fn remove(&mut self, index: usize, mut count: usize) {
        while count > 0
            && let Some((at, n)) = self.locate(index)
        {
            let node = self.node_mut(at);
            let here = count.min(node.count() - n);
            if n == 0 {
                node.cut(End::Front, here);
            } else {
                node.remove(n, here);
            }
            count -= here;
            self.removed(at, here);
        }
    }

    /// Takes out elements that are `text`, at most `count`, from one end on; gives how many.
    pub(super) fn remove_matching(&mut self, text: &[u8], from: End, count: usize) -> usize {
        let wanted = Encoded::of(text);
        let mut left = count;
        let mut at = match from {
            End::Front => Some(At { chunk: 0, node: 0 }).filter(|_| self.len > 0),
            End::Back => self.last(),
        };
        while let Some(here) = at.filter(|_| left > 0) {
            let removed = self.node_mut(here).remove_matching(wanted, from, left);
            left -= removed;
            // Looked up before the node may vanish: behind it things move, before it they do not.
            let before = self.before(here);
            let (nodes, chunks) = (self.chunks[here.chunk].nodes.len(), self.chunks.len());
            self.removed(here, removed);
            let chunk_gone = self.chunks.len() < chunks;
            let node_gone = chunk_gone || self.chunks[here.chunk].nodes.len() < nodes;
            at = match from {
                End::Back => before,
                End::Front if chunk_gone => Some(At { chunk: here.chunk, node: 0 }),
                End::Front if node_gone => Some(here),
                End::Front => Some(At { node: here.node + 1, ..here }),
            };
            if from == End::Front {
                at = at.and_then(|at| self.real(at));
            }
        }
        count - left
    }

    /// Accounts for `count` elements taken from a node.
    fn removed(&mut self, at: At, count: usize) {
        self.len -= count;
        let chunk = &mut self.chunks[at.chunk];
        chunk.len -= count;
        if chunk.nodes[at.node].count() == 0 {
            chunk.nodes.remove(at.node);
            if chunk.nodes.is_empty() {
                self.chunks.remove(at.chunk);
            }
        }
    }

    /// Cuts a chunk of too many nodes in two.
    fn divide(&mut self, at: usize) {
        let chunk = &mut self.chunks[at];
        if chunk.nodes.len() <= CHUNK_MAX {
            return;
        }
        let nodes = chunk.nodes.split_off(CHUNK_MAX / 2);
        let len = nodes.iter().map(Node::count).sum();
        chunk.len -= len;
        self.chunks.insert(at + 1, Chunk { nodes, len });
    }

    /// The node of element `index`, and its number there; searched from the nearer end.
    fn locate(&self, index: usize) -> Option<(At, usize)> {
        if index >= self.len {
            return None;
        }
        let (chunk, n) = find(&self.chunks, index, self.len, |chunk| chunk.len);
        let chunk_len = self.chunks[chunk].len;
        let (node, n) = find(&self.chunks[chunk].nodes, n, chunk_len, Node::count);
        Some((At { chunk, node }, n))
    }

    fn node(&self, at: At) -> &Node {
        &self.chunks[at.chunk].nodes[at.node]
    }

    fn node_mut(&mut self, at: At) -> &mut Node {
        &mut self.chunks[at.chunk].nodes[at.node]
    }

    /// The place, or the beginning of the next chunk if it is behind its own's last node.
    fn real(&self, at: At) -> Option<At> {
        let chunk = self.chunks.get(at.chunk)?;
        if at.node < chunk.nodes.len() {
            return Some(at);
        }
        (at.chunk + 1 < self.chunks.len()).then_some(At { chunk: at.chunk + 1, node: 0 })
    }

    fn last(&self) -> Option<At> {
        let chunk = self.chunks.len().checked_sub(1)?;
        Some(At { chunk, node: self.chunks[chunk].nodes.len() - 1 })
    }

    fn before(&self, at: At) -> Option<At> {
        if let Some(node) = at.node.checked_sub(1) {
            return Some(At { node, ..at });
        }
        let chunk = at.chunk.checked_sub(1)?;
        Some(At { chunk, node: self.chunks[chunk].nodes.len() - 1 })
    }
}

fn fits(node: &Node, text: &[u8], limit: NodeLimit) -> bool {
    limit.allows(node.sealed_len() + FRAME + text.len() + OVERHEAD, node.count() + 1)
}

/// The part that holds number `n` of `len`, and its number inside that.
fn find<T>(
    row: &VecDeque<T>,
    n: usize,
    len: usize,
    len_of: impl Fn(&T) -> usize,
) -> (usize, usize) {
    if n < len / 2 {
        let mut before = 0;
        for (at, part) in row.iter().enumerate() {
            if n < before + len_of(part) {
                return (at, n - before);
            }
            before += len_of(part);
        }
    } else {
        let mut start = len;
        for (at, part) in row.iter().enumerate().rev() {
            start -= len_of(part);
            if n >= start {
                return (at, n - start);
            }
        }
    }
    unreachable!("number {n} of {len} is in some part")
}

#[derive(Clone)]
pub(super) struct QuickIter<'a> {
    quick: &'a Quick,
    at: At,
    rest: Run<'a>,
}

impl<'a> Iterator for QuickIter<'a> {
    type Item = Str<'a>;

    #[inline]
    fn next(&mut self) -> Option<Str<'a>> {
        loop {
            if let Some(text) = self.rest.next() {
                return Some(text);
            }
            self.at = self.quick.real(At { node: self.at.node + 1, ..self.at })?;
            self.rest = self.quick.node(self.at).run();
        }
    }
}

#[derive(Clone)]
pub(super) struct QuickIterBack<'a> {
    quick: &'a Quick,
    at: At,
    rest: RunBack<'a>,
}

impl<'a> Iterator for QuickIterBack<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Str<'a>> {
        loop {
            if let Some(text) = self.rest.next() {
                return Some(text);
            }
            self.at = self.quick.before(self.at)?;
            self.rest = self.quick.node(self.at).run_back();
        }
    }
}
