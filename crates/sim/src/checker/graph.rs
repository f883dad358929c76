//! Who must stand before whom, and the shortest circle in it.
//!
//! One pass finds the strongly connected components (Tarjan, with a stack of its own: a history is
//! longer than a thread's stack is deep). Only where there is one does the search for the circle that
//! says most begin: first circles of writes alone, then with reads, last those that need the clock.

use std::collections::VecDeque;

use super::txn::{Key, Kind};

/// Why one transaction stands before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its write of the key came before the other's.
    Ww(Key),
    /// The other read what it wrote.
    Wr(Key),
    /// It did not see what the other wrote.
    Rw(Key),
    /// Its reply was there before the other began.
    RealTime,
}

/// One transaction before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Earlier.
    pub from: u32,
    /// The reason.
    pub why: Why,
    /// Later.
    pub to: u32,
}

/// A circle of edges; each begins where the one before ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Its edges.
    pub edges: Vec<Edge>,
}

impl Why {
    const fn bit(self) -> u8 {
        match self {
            Self::Ww(_) => WW,
            Self::Wr(_) => WR,
            Self::Rw(_) => RW,
            Self::RealTime => RT,
        }
    }
}

const WW: u8 = 1;
const WR: u8 = 2;
const RW: u8 = 4;
const RT: u8 = 8;

/// Starting points tried for the shortest circle, so that one huge knot does not take for ever: any
/// circle is proof enough.
const STARTS_MAX: usize = 300;

/// Edges by where they begin.
pub(super) struct Graph {
    edges: Vec<Edge>,
    /// Edges of node `n` are `starts[n]..starts[n + 1]`.
    starts: Vec<usize>,
}

impl Graph {
    pub(super) fn new(nodes: usize, mut edges: Vec<Edge>) -> Self {
        edges.sort_unstable();
        edges.dedup();
        let mut starts = vec![0; nodes + 1];
        edges.iter().for_each(|edge| starts[edge.from as usize + 1] += 1);
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        Self { edges, starts }
    }

    /// The circle that says most, and its kind.
    pub(super) fn worst(&self) -> Option<(Kind, Cycle)> {
        let knots = self.knots(WW | WR | RW | RT)?;
        let plain = |kind, mask| Some((kind, self.shortest(mask, &knots)?));
        let single = |kind, mask| Some((kind, self.with_one_rw(mask, &knots)?));
        plain(Kind::G0, WW)
            .or_else(|| plain(Kind::G1c, WW | WR))
            .or_else(|| single(Kind::GSingle, WW | WR))
            .or_else(|| plain(Kind::G2, WW | WR | RW))
            .or_else(|| single(Kind::RealTime, WW | WR | RT))
            .or_else(|| plain(Kind::RealTime, WW | WR | RW | RT))
    }

    fn of(&self, node: u32, mask: u8) -> impl Iterator<Item = &Edge> {
        let range = self.starts[node as usize]..self.starts[node as usize + 1];
        self.edges[range].iter().filter(move |edge| edge.why.bit() & mask != 0)
    }

    /// The shortest circle of edges in `mask`.
    fn shortest(&self, mask: u8, within: &[Option<u32>]) -> Option<Cycle> {
        let knots = self.knots_within(mask, within)?;
        let nodes = (0..knots.len() as u32).filter(|node| knots[*node as usize].is_some());
        let circles = nodes.take(STARTS_MAX).filter_map(|node| self.path(node, node, mask, &knots));
        circles.min_by_key(Vec::len).map(|edges| Cycle { edges })
    }

    /// The shortest circle of one edge that misses a write, and others in `mask`.
    fn with_one_rw(&self, mask: u8, within: &[Option<u32>]) -> Option<Cycle> {
        let knots = self.knots_within(mask | RW, within)?;
        let same = |edge: &&Edge| {
            let knot = knots[edge.from as usize];
            edge.why.bit() == RW && knot.is_some() && knot == knots[edge.to as usize]
        };
        let circle = |edge: &Edge| {
            let back = self.path(edge.to, edge.from, mask, &knots)?;
            Some([&[*edge], back.as_slice()].concat())
        };
        let circles = self.edges.iter().filter(same).take(STARTS_MAX).filter_map(circle);
        circles.min_by_key(Vec::len).map(|edges| Cycle { edges })
    }

    /// The shortest way between two nodes of one knot, at least one edge.
    fn path(&self, from: u32, to: u32, mask: u8, knots: &[Option<u32>]) -> Option<Vec<Edge>> {
        let mut came: Vec<Option<Edge>> = vec![None; knots.len()];
        let mut open = VecDeque::from([from]);
        while let Some(node) = open.pop_front() {
            for edge in self.of(node, mask) {
                let next = edge.to as usize;
                if knots[next] != knots[from as usize] || came[next].is_some() {
                    continue;
                }
                came[next] = Some(*edge);
                if edge.to == to {
                    return Some(walk_back(&came, from, to));
                }
                open.push_back(edge.to);
            }
        }
        None
    }

    /// For each node that lies on a circle, the number of its component; [`None`] without circles.
    fn knots(&self, mask: u8) -> Option<Vec<Option<u32>>> {
        self.knots_within(mask, &vec![Some(0); self.starts.len() - 1])
    }

    fn knots_within(&self, mask: u8, within: &[Option<u32>]) -> Option<Vec<Option<u32>>> {
        let mut tarjan = Tarjan::new(within.len());
        let roots = (0..within.len()).filter(|node| within[*node].is_some());
        roots.for_each(|root| tarjan.visit(self, root as u32, mask, within));
        tarjan.knots.iter().any(Option::is_some).then_some(tarjan.knots)
    }
}

fn walk_back(came: &[Option<Edge>], from: u32, to: u32) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut at = to;
    loop {
        let edge = came[at as usize].expect("the way back was written down");
        edges.push(edge);
        at = edge.from;
        if at == from {
            edges.reverse();
            return edges;
        }
    }
}

/// Strongly connected components of more than one node.
struct Tarjan {
    clock: u32,
    /// When a node was first seen; 0 is never.
    seen: Vec<u32>,
    low: Vec<u32>,
    on_stack: Vec<bool>,
    stack: Vec<u32>,
    knots: Vec<Option<u32>>,
}

impl Tarjan {
    fn new(nodes: usize) -> Self {
        Self {
            clock: 0,
            seen: vec![0; nodes],
            low: vec![0; nodes],
            on_stack: vec![false; nodes],
            stack: Vec::new(),
            knots: vec![None; nodes],
        }
    }

    fn visit(&mut self, graph: &Graph, root: u32, mask: u8, within: &[Option<u32>]) {
        if self.seen[root as usize] != 0 {
            return;
        }
        // A node, and which of its edges is next.
        let mut way = vec![(root, graph.starts[root as usize])];
        self.enter(root);
        while let Some((node, at)) = way.last_mut() {
            let node = *node;
            if *at < graph.starts[node as usize + 1] {
                let edge = graph.edges[*at];
                *at += 1;
                let next = edge.to as usize;
                if edge.why.bit() & mask == 0 || within[next] != within[node as usize] {
                    continue;
                }
                if self.seen[next] == 0 {
                    self.enter(edge.to);
                    way.push((edge.to, graph.starts[next]));
                } else if self.on_stack[next] {
                    self.low[node as usize] = self.low[node as usize].min(self.seen[next]);
                }
            } else {
                way.pop();
                if let Some((above, _)) = way.last() {
                    let low = self.low[node as usize];
                    self.low[*above as usize] = self.low[*above as usize].min(low);
                }
                self.leave(node);
            }
        }
    }

    fn enter(&mut self, node: u32) {
        self.clock += 1;
        self.seen[node as usize] = self.clock;
        self.low[node as usize] = self.clock;
        self.on_stack[node as usize] = true;
        self.stack.push(node);
    }

    /// All below a node is known; what is left above it on the stack is its component.
    fn leave(&mut self, node: u32) {
        if self.low[node as usize] != self.seen[node as usize] {
            return;
        }
        let at = self.stack.iter().rposition(|other| *other == node).expect("it was entered");
        let members = self.stack.split_off(at);
        for member in &members {
            self.on_stack[*member as usize] = false;
            if members.len() > 1 {
                self.knots[*member as usize] = Some(self.seen[node as usize]);
            }
        }
    }
}
