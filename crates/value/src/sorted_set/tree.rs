//! Scores in order, counted: a B+tree whose inner nodes know how many entries lie below each child.
//!
//! So an entry's rank, and the entry of a rank, take one way down. An entry is a score and the
//! handle of the record that has the member: twelve bytes, with the score beside the handle because
//! a comparison that must fetch the member misses the cache. Whoever searches says by a predicate
//! up to which entry the place sought lies; the tree itself compares nothing.
//!
//! A full leaf first gives to a neighbour, so leaves are four fifths full after random inserts,
//! and all but full after inserts in order.

mod copying;

use super::records::Handle;

/// Entries of a leaf: with its length it just fits the allocator's 768 bytes.
const LEAF_LEN_MAX: usize = 63;
/// Children of an inner node: 32 bytes each.
const INNER_LEN_MAX: usize = 48;
/// A leaf gives to a neighbour that has room for this many.
const ROOM_MIN: usize = 8;

/// A score and whose it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) score: f64,
    pub(crate) handle: Handle,
}

#[derive(Clone)]
struct Leaf {
    scores: [f64; LEAF_LEN_MAX],
    handles: [Handle; LEAF_LEN_MAX],
    len: u16,
}

#[derive(Clone)]
enum Node {
    Leaf(Box<Leaf>),
    Inner(Vec<Child>),
}

#[derive(Clone)]
struct Child {
    /// The first entry below.
    score: f64,
    handle: Handle,
    /// How many entries are below.
    count: u32,
    node: Node,
}

/// The entries of one set.
#[derive(Clone)]
pub(crate) struct Tree {
    root: Node,
    len: usize,
}

/// Chooses the way down.
trait Way {
    /// Which child.
    fn child(&mut self, children: &[Child]) -> usize;
    /// Which entry.
    fn entry(&mut self, leaf: &Leaf) -> usize;
}

/// To the entry of a rank.
struct ByRank(usize);

/// To the place behind the last entry for which the predicate holds.
struct Behind<F>(F);

/// To that entry itself.
struct Last<F>(F);

impl Way for ByRank {
    fn child(&mut self, children: &[Child]) -> usize {
        for (at, child) in children.iter().enumerate() {
            if self.0 < child.count as usize {
                return at;
            }
            self.0 -= child.count as usize;
        }
        unreachable!("the rank was held against the length")
    }

    fn entry(&mut self, _: &Leaf) -> usize {
        self.0
    }
}

impl<F: FnMut(Item) -> bool> Way for Behind<F> {
    fn child(&mut self, children: &[Child]) -> usize {
        children.partition_point(|child| (self.0)(child.first())).saturating_sub(1)
    }

    fn entry(&mut self, leaf: &Leaf) -> usize {
        leaf.partition_point(&mut self.0)
    }
}

impl<F: FnMut(Item) -> bool> Way for Last<F> {
    fn child(&mut self, children: &[Child]) -> usize {
        children.partition_point(|child| (self.0)(child.first())) - 1
    }

    fn entry(&mut self, leaf: &Leaf) -> usize {
        leaf.partition_point(&mut self.0) - 1
    }
}

impl Leaf {
    fn new() -> Box<Self> {
        Box::new(Self { scores: [0.0; LEAF_LEN_MAX], handles: [0; LEAF_LEN_MAX], len: 0 })
    }

    const fn len(&self) -> usize {
        self.len as usize
    }

    const fn get(&self, at: usize) -> Item {
        Item { score: self.scores[at], handle: self.handles[at] }
    }

    fn partition_point(&self, mut before: impl FnMut(Item) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if before(self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn insert(&mut self, at: usize, item: Item) {
        let len = self.len();
        self.scores.copy_within(at..len, at + 1);
        self.handles.copy_within(at..len, at + 1);
        self.scores[at] = item.score;
        self.handles[at] = item.handle;
        self.len += 1;
    }

    fn remove(&mut self, at: usize) -> Item {
        let item = self.get(at);
        let len = self.len();
        self.scores.copy_within(at + 1..len, at);
        self.handles.copy_within(at + 1..len, at);
        self.len -= 1;
        item
    }

    /// Moves the last `count` entries to the front of `right`.
    fn give_right(&mut self, right: &mut Self, count: usize) {
        let (from, len, other) = (self.len() - count, self.len(), right.len());
        right.scores.copy_within(0..other, count);
        right.handles.copy_within(0..other, count);
        right.scores[..count].copy_from_slice(&self.scores[from..len]);
        right.handles[..count].copy_from_slice(&self.handles[from..len]);
        self.len -= count as u16;
        right.len += count as u16;
    }

    /// Moves the first `count` entries of `right` to the end.
    fn take_left(&mut self, right: &mut Self, count: usize) {
        let (len, other) = (self.len(), right.len());
        self.scores[len..len + count].copy_from_slice(&right.scores[..count]);
        self.handles[len..len + count].copy_from_slice(&right.handles[..count]);
        right.scores.copy_within(count..other, 0);
        right.handles.copy_within(count..other, 0);
        self.len += count as u16;
        right.len -= count as u16;
    }
}

impl Child {
    fn of(node: Node) -> Self {
        let first = node.first();
        Self { score: first.score, handle: first.handle, count: node.count() as u32, node }
    }

    const fn first(&self) -> Item {
        Item { score: self.score, handle: self.handle }
    }

    /// After a change below.
    fn refresh(&mut self) {
        let first = self.node.first();
        self.score = first.score;
        self.handle = first.handle;
        self.count = self.node.count() as u32;
    }
}

impl Node {
    fn first(&self) -> Item {
        match self {
            Self::Leaf(leaf) => leaf.get(0),
            Self::Inner(children) => children[0].first(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(children) => children.iter().map(|child| child.count as usize).sum(),
        }
    }

    /// Entries or children.
    const fn width(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(children) => children.len(),
        }
    }

    const fn width_max(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF_LEN_MAX,
            Self::Inner(_) => INNER_LEN_MAX,
        }
    }

    /// Adds an entry; what did not fit any more is a new node to the right. The edges of the tree are
    /// where entries in order arrive: there the full node is left full.
    fn insert(&mut self, way: &mut impl Way, item: Item, is_edge: bool) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => {
                let at = way.entry(leaf);
                if leaf.len() < LEAF_LEN_MAX {
                    leaf.insert(at, item);
                    return None;
                }
                let mut right = Leaf::new();
                if is_edge && at == LEAF_LEN_MAX {
                    right.insert(0, item);
                } else if is_edge && at == 0 {
                    std::mem::swap(leaf, &mut right);
                    leaf.insert(0, item);
                } else {
                    let half = LEAF_LEN_MAX / 2;
                    leaf.give_right(&mut right, half);
                    let left_len = leaf.len();
                    if at <= left_len {
                        leaf.insert(at, item);
                    } else {
                        right.insert(at - left_len, item);
                    }
                }
                Some(Self::Leaf(right))
            }
            Self::Inner(children) => {
                let mut at = way.child(children);
                let edge = is_edge && (at == 0 || at + 1 == children.len());
                if children[at].is_full_leaf() && !edge && make_room(children, at) {
                    at = way.child(children);
                }
                let right = children[at].node.insert(way, item, edge);
                children[at].refresh();
                children.insert(at + 1, Child::of(right?));
                if children.len() <= INNER_LEN_MAX {
                    return None;
                }
                let from = if is_edge && at + 2 == children.len() {
                    children.len() - 1
                } else {
                    children.len() / 2
                };
                let mut right = Vec::with_capacity(INNER_LEN_MAX + 1);
                right.extend(children.drain(from..));
                Some(Self::Inner(right))
            }
        }
    }

    fn remove(&mut self, way: &mut impl Way) -> Item {
        match self {
            Self::Leaf(leaf) => {
                let at = way.entry(leaf);
                leaf.remove(at)
            }
            Self::Inner(children) => {
                let at = way.child(children);
                let removed = children[at].node.remove(way);
                if children[at].node.width() == 0 {
                    children.remove(at);
                } else {
                    children[at].refresh();
                    if children[at].node.width() < children[at].node.width_max() / 3 {
                        join(children, at);
                    }
                }
                removed
            }
        }
    }

    /// Drops one leaf. True when it was the last of this node.
    fn free_one(&mut self) -> bool {
        let Self::Inner(children) = self else { return true };
        if children.last_mut().is_none_or(|last| last.node.free_one()) {
            children.pop();
        }
        children.is_empty()
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Leaf(_) => size_of::<Leaf>(),
            Self::Inner(children) => {
                children.capacity() * size_of::<Child>()
                    + children.iter().map(|child| child.node.bytes()).sum::<usize>()
            }
        }
    }
}

impl Child {
    fn is_full_leaf(&self) -> bool {
        matches!(&self.node, Node::Leaf(leaf) if leaf.len() == LEAF_LEN_MAX)
    }
}

/// Evens out the full leaf `at` with a neighbour that has room. False if none has.
fn make_room(children: &mut [Child], at: usize) -> bool {
    let has_room = |child: Option<&Child>| {
        child.is_some_and(|child| child.node.width() + ROOM_MIN <= LEAF_LEN_MAX)
    };
    if has_room(children.get(at + 1)) {
        even_out(children, at);
    } else if at > 0 && has_room(children.get(at - 1)) {
        even_out(children, at - 1);
    } else {
        return false;
    }
    true
}

/// Spreads the content of child `at` and the next evenly over both.
fn even_out(children: &mut [Child], at: usize) {
    let [left, right] = &mut children[at..at + 2] else { unreachable!("two of them") };
    match (&mut left.node, &mut right.node) {
        (Node::Leaf(left), Node::Leaf(right)) => {
            let half = (left.len() + right.len()) / 2;
            if left.len() > half {
                left.give_right(right, left.len() - half);
            } else {
                left.take_left(right, half - left.len());
            }
        }
        (Node::Inner(left), Node::Inner(right)) => {
            let half = (left.len() + right.len()) / 2;
            if left.len() > half {
                right.splice(..0, left.drain(half..));
            } else {
                left.extend(right.drain(..half - left.len()));
            }
        }
        (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {
            unreachable!("siblings are of one kind")
        }
    }
    left.refresh();
    right.refresh();
}

/// Joins the thin child `at` with a neighbour, or evens both out when they do not fit one node.
fn join(children: &mut Vec<Child>, at: usize) {
    let left = if at + 1 < children.len() { at } else { at.wrapping_sub(1) };
    let Some(right) = children.get(left.wrapping_add(1)) else { return };
    if children[left].node.width() + right.node.width() > right.node.width_max() {
        return even_out(children, left);
    }
    let right = children.remove(left + 1);
    match (&mut children[left].node, right.node) {
        (Node::Leaf(left), Node::Leaf(mut right)) => {
            let count = right.len();
            left.take_left(&mut right, count);
        }
        (Node::Inner(left), Node::Inner(right)) => left.extend(right),
        (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {
            unreachable!("siblings are of one kind")
        }
    }
    children[left].refresh();
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self { root: Node::Leaf(Leaf::new()), len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry behind the last for which `upto` holds.
    pub(crate) fn insert(&mut self, item: Item, upto: impl FnMut(Item) -> bool) {
        self.len += 1;
        if let Some(right) = self.root.insert(&mut Behind(upto), item, true) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Leaf::new()));
            let mut children = Vec::with_capacity(INNER_LEN_MAX + 1);
            children.extend([Child::of(left), Child::of(right)]);
            self.root = Node::Inner(children);
        }
    }

    /// Removes the last entry for which `upto` holds; there is one.
    pub(crate) fn remove(&mut self, upto: impl FnMut(Item) -> bool) -> Item {
        self.removed(&mut Last(upto))
    }

    /// Removes the entry of a rank.
    pub(crate) fn remove_at(&mut self, rank: usize) -> Item {
        assert!(rank < self.len, "rank {rank} of {}", self.len);
        self.removed(&mut ByRank(rank))
    }

    fn removed(&mut self, way: &mut impl Way) -> Item {
        let item = self.root.remove(way);
        self.len -= 1;
        loop {
            match &mut self.root {
                Node::Inner(children) if children.len() == 1 => {
                    self.root = children.remove(0).node;
                }
                Node::Inner(children) if children.is_empty() => {
                    self.root = Node::Leaf(Leaf::new());
                }
                Node::Leaf(_) | Node::Inner(_) => return item,
            }
        }
    }

    /// For how many entries `upto` holds: those are the first ones.
    pub(crate) fn count_upto(&self, mut upto: impl FnMut(Item) -> bool) -> usize {
        let (mut node, mut count) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return count + leaf.partition_point(upto),
                Node::Inner(children) => {
                    let at = children.partition_point(|child| upto(child.first()));
                    let Some(last) = at.checked_sub(1) else { return count };
                    count +=
                        children[..last].iter().map(|child| child.count as usize).sum::<usize>();
                    node = &children[last].node;
                }
            }
        }
    }

    /// The leaf that holds the entry of a rank, and the place in it.
    pub(crate) fn leaf_at(&self, rank: usize) -> (LeafRef<'_>, usize) {
        assert!(rank < self.len, "rank {rank} of {}", self.len);
        let mut way = ByRank(rank);
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return (LeafRef(leaf), way.0),
                Node::Inner(children) => node = &children[way.child(children)].node,
            }
        }
    }

    /// Drops a leaf. False when there is none but the root.
    pub(crate) fn free_one(&mut self) -> bool {
        let is_done = self.root.free_one();
        if is_done {
            *self = Self::new();
        }
        !is_done
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.root.bytes()
    }
}

/// A leaf to be read from.
#[derive(Clone, Copy)]
pub(crate) struct LeafRef<'a>(&'a Leaf);

impl LeafRef<'_> {
    pub(crate) const fn len(self) -> usize {
        self.0.len()
    }

    pub(crate) const fn get(self, at: usize) -> Item {
        self.0.get(at)
    }
}
