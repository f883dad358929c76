//! A large set or hash: a tree of small hash tables, in the order of the members' hashes.
//!
//! It starts as one leaf. A leaf that would pass its largest size becomes a node of 16 by the next
//! four bits of the hash, so no insert ever moves more than one leaf's items, and freeing goes leaf by
//! leaf. The order is that of the keyspace's own tables, for the same reason: a scan's cursor is a
//! place in hash order, which no growing or shrinking changes, so what is there from the first call
//! to the last is returned. And the order depends on the content alone, not on its history.
//!
//! An item is its key's length, its key, and what its [`Shape`] puts behind. A member of 16 bytes
//! takes about 30 bytes in all.

mod copying;
mod leaf;

use std::marker::PhantomData;

use leaf::Leaf;
use stoa_stdx::{HashSeed, Rng};

/// As many levels of nodes as leave a leaf its 32 bits of the hash.
const LEVELS_MAX: u32 = 8;
const FANOUT: usize = 16;
/// A node of so few becomes a leaf again.
const JOIN_LEN: usize = 64;

/// Blocks up to which dropping all at once takes no time worth dividing.
const LIGHT_BLOCKS_MAX: usize = 16;

/// What stands behind the key of an item.
pub(crate) trait Shape {
    /// Its bytes, given what begins with it.
    fn tail_len(behind_key: &[u8]) -> usize;
}

/// Items with distinct keys.
#[derive(Clone, Debug)]
pub(crate) struct Table<S> {
    root: Node,
    seed: HashSeed,
    shape: PhantomData<fn() -> S>,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Leaf),
    Inner(Box<Inner>),
}

#[derive(Clone, Debug)]
struct Inner {
    len: usize,
    children: [Node; FANOUT],
}

impl<S: Shape> Table<S> {
    pub(crate) fn new(seed: &HashSeed) -> Self {
        Self { root: Node::Leaf(Leaf::default()), seed: seed.clone(), shape: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.root.len()
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.root.bytes()
    }

    /// Whether it is dropped in no time: one leaf, with few blocks besides.
    pub(crate) const fn is_light(&self) -> bool {
        match &self.root {
            Node::Leaf(leaf) => leaf.blocks() <= LIGHT_BLOCKS_MAX,
            Node::Inner(_) => false,
        }
    }

    /// The item with this key.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<&[u8]> {
        let mut hash = self.seed.hash(key);
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    return leaf.find::<S>(top(hash), key).map(|at| leaf.item::<S>(at));
                }
                Node::Inner(inner) => node = &inner.children[(hash >> 60) as usize],
            }
            hash <<= 4;
        }
    }

    /// Adds an item or puts it in the place of the one with the same key. False if there was one.
    pub(crate) fn put(&mut self, key: &[u8], tail: &[&[u8]]) -> bool {
        self.store(key, tail, true)
    }

    /// Adds an item unless there is one with the same key. False if there was one.
    pub(crate) fn add(&mut self, key: &[u8], tail: &[&[u8]]) -> bool {
        self.store(key, tail, false)
    }

    fn store(&mut self, key: &[u8], tail: &[&[u8]], over: bool) -> bool {
        let hash = self.seed.hash(key);
        let head = Length::of(key.len());
        let mut parts = [&b""[..]; 2 + TAIL_PARTS];
        parts[0] = head.as_bytes();
        parts[1] = key;
        parts[2..2 + tail.len()].copy_from_slice(tail);
        let parts = &parts[..2 + tail.len()];
        self.root.store::<S>(hash, 0, &self.seed, key, parts, over)
    }

    /// Takes out the item with this key. False if there was none.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.seed.hash(key);
        self.root.remove::<S>(hash, 0, &self.seed, key)
    }

    /// Takes out some item, each as likely as any other, after a look at it. False if there was none.
    pub(crate) fn pop(&mut self, rng: &mut Rng, look: impl FnOnce(&[u8])) -> bool {
        self.root.len() > 0 && {
            self.root.pop::<S>(0, &self.seed, rng, look);
            true
        }
    }

    /// Every item, in hash order.
    pub(crate) fn iter(&self) -> Items<'_, S> {
        Items {
            open: vec![std::slice::from_ref(&self.root).iter()],
            leaf: None,
            shape: PhantomData,
        }
    }

    /// Some item, each as likely as any other.
    pub(crate) fn random(&self, rng: &mut Rng) -> Option<&[u8]> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.random(rng).map(|at| leaf.item::<S>(at)),
                Node::Inner(inner) => {
                    let mut n = rng.below(inner.len as u64) as usize;
                    node = inner.child_of(&mut n)?;
                }
            }
        }
    }

    /// Item `n` in hash order.
    pub(crate) fn nth(&self, mut n: usize) -> Option<&[u8]> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.nth(n).map(|at| leaf.item::<S>(at)),
                Node::Inner(inner) => node = inner.child_of(&mut n)?,
            }
        }
    }

    /// Calls `each` with the items from hash position `from` (top 32 bits) on, whole positions at a
    /// time, until it has had `limit`. Gives the position to go on from, None at the end.
    pub(crate) fn scan(&self, from: u32, limit: usize, each: &mut dyn FnMut(&[u8])) -> Option<u32> {
        self.root.scan::<S>(from, 0, 0, &mut Walk { left: limit, each, last: None })
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 && self.root.len() > 0 {
            *left = left.saturating_sub(self.root.free_leaf(*left).max(1));
        }
        self.root.len() > 0
    }
}

/// Bytes slices that a tail is handed over in.
pub(crate) const TAIL_PARTS: usize = 3;

/// Every item of a table.
#[derive(Clone)]
pub(crate) struct Items<'a, S> {
    /// What is left of each level of nodes.
    open: Vec<std::slice::Iter<'a, Node>>,
    leaf: Option<leaf::Words<'a>>,
    shape: PhantomData<fn() -> S>,
}

impl<'a, S: Shape> Iterator for Items<'a, S> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(item) = self.leaf.as_mut().and_then(leaf::Words::next_item::<S>) {
                return Some(item);
            }
            match self.open.last_mut()?.next() {
                None => drop(self.open.pop()),
                Some(Node::Leaf(leaf)) => self.leaf = Some(leaf.words()),
                Some(Node::Inner(inner)) => self.open.push(inner.children.iter()),
            }
        }
    }

    /// Nodes go by whole, so that going on far behind costs no walk.
    fn nth(&mut self, mut n: usize) -> Option<&'a [u8]> {
        while let Some(leaf) = &mut self.leaf {
            match leaf.next_item::<S>() {
                None => self.leaf = None,
                Some(item) if n == 0 => return Some(item),
                Some(_) => n -= 1,
            }
        }
        loop {
            match self.open.last_mut()?.next() {
                None => drop(self.open.pop()),
                Some(node) if node.len() <= n => n -= node.len(),
                Some(Node::Inner(inner)) => self.open.push(inner.children.iter()),
                Some(Node::Leaf(leaf)) => {
                    let mut words = leaf.words();
                    for _ in 0..n {
                        words.next_item::<S>();
                    }
                    let item = words.next_item::<S>();
                    self.leaf = Some(words);
                    return item;
                }
            }
        }
    }
}

struct Walk<'a> {
    left: usize,
    each: &'a mut dyn FnMut(&[u8]),
    last: Option<u32>,
}

impl Inner {
    /// The child in which item `n` of this node is; `n` becomes its number there.
    fn child_of(&self, n: &mut usize) -> Option<&Node> {
        self.children.iter().find(|child| {
            let here = *n < child.len();
            *n -= if here { 0 } else { child.len() };
            here
        })
    }
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.len,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.bytes(),
            Self::Inner(inner) => {
                size_of::<Inner>() + inner.children.iter().map(Self::bytes).sum::<usize>()
            }
        }
    }

    /// `hash` begins with the bits that this level looks at.
    fn store<S: Shape>(
        &mut self,
        hash: u64,
        level: u32,
        seed: &HashSeed,
        key: &[u8],
        parts: &[&[u8]],
        over: bool,
    ) -> bool {
        match self {
            Self::Inner(inner) => {
                let child = &mut inner.children[(hash >> 60) as usize];
                let added = child.store::<S>(hash << 4, level + 1, seed, key, parts, over);
                inner.len += usize::from(added);
                added
            }
            Self::Leaf(leaf) => {
                if let Some(at) = leaf.find::<S>(top(hash), key) {
                    if over {
                        leaf.replace::<S>(at, parts);
                    }
                    return false;
                }
                if leaf.is_full() && level < LEVELS_MAX {
                    self.split::<S>(level, seed);
                    return self.store::<S>(hash, level, seed, key, parts, over);
                }
                leaf.insert::<S>(top(hash), parts);
                true
            }
        }
    }

    fn remove<S: Shape>(&mut self, hash: u64, level: u32, seed: &HashSeed, key: &[u8]) -> bool {
        match self {
            Self::Leaf(leaf) => {
                let found = leaf.find::<S>(top(hash), key);
                if let Some(at) = found {
                    leaf.remove::<S>(at);
                }
                found.is_some()
            }
            Self::Inner(inner) => {
                let child = &mut inner.children[(hash >> 60) as usize];
                let removed = child.remove::<S>(hash << 4, level + 1, seed, key);
                inner.len -= usize::from(removed);
                if inner.len <= JOIN_LEN {
                    self.join::<S>(level, seed);
                }
                removed
            }
        }
    }

    /// Takes out some item of this node, which has some.
    fn pop<S: Shape>(
        &mut self,
        level: u32,
        seed: &HashSeed,
        rng: &mut Rng,
        look: impl FnOnce(&[u8]),
    ) {
        match self {
            Self::Leaf(leaf) => {
                let at = leaf.random(rng).expect("it has some");
                look(leaf.item::<S>(at));
                leaf.remove::<S>(at);
            }
            Self::Inner(inner) => {
                let mut n = rng.below(inner.len as u64) as usize;
                let child = inner.children.iter_mut().find(|child| {
                    let here = n < child.len();
                    n -= if here { 0 } else { child.len() };
                    here
                });
                child.expect("below the sum").pop::<S>(level + 1, seed, rng, look);
                inner.len -= 1;
                if inner.len <= JOIN_LEN {
                    self.join::<S>(level, seed);
                }
            }
        }
    }

    /// Turns this leaf into a node of leaves.
    fn split<S: Shape>(&mut self, level: u32, seed: &HashSeed) {
        let children = std::array::from_fn(|_| Self::Leaf(Leaf::default()));
        let inner = Self::Inner(Box::new(Inner { len: 0, children }));
        let Self::Leaf(old) = std::mem::replace(self, inner) else {
            unreachable!("only leaves are split");
        };
        self.take_in::<S>(level, seed, &old);
    }

    /// Turns this node of few items into a leaf.
    fn join<S: Shape>(&mut self, level: u32, seed: &HashSeed) {
        let old = std::mem::replace(self, Self::Leaf(Leaf::default()));
        old.for_each::<S>(&mut |item| {
            let key = key_of(item);
            let hash = seed.hash(key) << (4 * level);
            self.store::<S>(hash, level, seed, key, &[item], false);
        });
    }

    fn take_in<S: Shape>(&mut self, level: u32, seed: &HashSeed, old: &Leaf) {
        for (_, item) in old.iter::<S>() {
            let key = key_of(item);
            let hash = seed.hash(key) << (4 * level);
            self.store::<S>(hash, level, seed, key, &[item], false);
        }
    }

    fn for_each<S: Shape>(&self, each: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Leaf(leaf) => leaf.iter::<S>().for_each(|(_, item)| each(item)),
            Self::Inner(inner) => inner.children.iter().for_each(|child| child.for_each::<S>(each)),
        }
    }

    fn scan<S: Shape>(
        &self,
        from: u32,
        prefix: u32,
        level: u32,
        walk: &mut Walk<'_>,
    ) -> Option<u32> {
        match self {
            Self::Leaf(leaf) => {
                for (hash, item) in leaf.iter::<S>() {
                    // Below 32 bits of position a leaf is handed over whole.
                    let position = prefix | hash.checked_shr(4 * level).unwrap_or(0);
                    if position < from {
                        continue;
                    }
                    if walk.left == 0 && walk.last != Some(position) {
                        return Some(position);
                    }
                    walk.last = Some(position);
                    walk.left = walk.left.saturating_sub(1);
                    (walk.each)(item);
                }
                None
            }
            Self::Inner(inner) => {
                let shift = 28 - 4 * level as i32;
                for (number, child) in inner.children.iter().enumerate() {
                    let start = if shift >= 0 { prefix | (number as u32) << shift } else { prefix };
                    let end = if shift > 0 { start | ((1 << shift) - 1) } else { start };
                    if end < from || child.len() == 0 {
                        continue;
                    }
                    let next = child.scan::<S>(from, start, level + 1, walk);
                    if next.is_some() {
                        return next;
                    }
                }
                None
            }
        }
    }

    /// Frees a leaf, or some of its blocks; gives how many.
    fn free_leaf(&mut self, limit: usize) -> usize {
        match self {
            Self::Leaf(leaf) => {
                if leaf.free_large(limit) {
                    let blocks = leaf.blocks();
                    *leaf = Leaf::default();
                    blocks
                } else {
                    limit
                }
            }
            Self::Inner(inner) => {
                let Some(child) = inner.children.iter_mut().rfind(|child| child.len() > 0) else {
                    inner.len = 0;
                    return 1;
                };
                let before = child.len();
                let blocks = child.free_leaf(limit);
                let freed = before - child.len();
                if child.len() == 0 {
                    *child = Self::Leaf(Leaf::default());
                }
                inner.len -= freed;
                blocks
            }
        }
    }
}

const fn top(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A length in as few bytes as it needs, seven bits each.
pub(crate) struct Length {
    bytes: [u8; 5],
    len: u8,
}

impl Length {
    pub(crate) fn of(length: usize) -> Self {
        let mut bytes = [0; 5];
        let mut rest = length;
        let mut len = 0;
        loop {
            bytes[len] = rest as u8 & 0x7f;
            rest >>= 7;
            len += 1;
            if rest == 0 {
                return Self { bytes, len: len as u8 };
            }
            bytes[len - 1] |= 0x80;
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

/// A length and the bytes it takes.
#[inline]
pub(crate) fn read_len(at: &[u8]) -> (usize, usize) {
    if at[0] < 0x80 {
        return (usize::from(at[0]), 1);
    }
    let mut length = 0;
    for (n, byte) in at.iter().enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return (length, n + 1);
        }
    }
    unreachable!("a length ends")
}

/// The key of the item that begins here.
#[inline]
pub(crate) fn key_of(item: &[u8]) -> &[u8] {
    let (len, head) = read_len(item);
    &item[head..head + len]
}

/// What stands behind the key of an item.
pub(crate) fn tail_of(item: &[u8]) -> &[u8] {
    let (len, head) = read_len(item);
    &item[head + len..]
}

fn len_of<S: Shape>(at: &[u8]) -> usize {
    let (len, head) = read_len(at);
    head + len + S::tail_len(&at[head + len..])
}

#[cfg(test)]
mod tests;
