//! Lists: one packed buffer while short, packed blocks in a row when long.
//!
//! A list is short up to `list-max-listpack-size`, and becomes short again below half of it, so that
//! one that goes up and down there does not change its form each time.

mod node;
mod quick;
mod run;
#[cfg(test)]
mod tests;

pub use node::End;
use node::Node;
use quick::{NodeLimit, Quick, QuickIter, QuickIterBack};
use run::Run;

use crate::copying::other_form;
use crate::packed;
use crate::{Limits, Packed, Rules, Str};

/// A list.
#[derive(Clone, Debug)]
pub struct List(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Packed(Packed),
    Quick(Box<Quick>),
}

impl Default for List {
    fn default() -> Self {
        Self(Repr::Packed(Packed::new()))
    }
}

impl List {
    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len(),
            Repr::Quick(quick) => quick.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Packed(packed) => packed.is_empty(),
            Repr::Quick(quick) => quick.len() == 0,
        }
    }

    /// OBJECT ENCODING's word.
    #[must_use]
    pub const fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Quick(_) => "quicklist",
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.capacity(),
            Repr::Quick(quick) => quick.bytes(),
        }
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub fn free_some(&mut self, left: &mut usize) -> bool {
        match &mut self.0 {
            Repr::Packed(_) => {
                *left = left.saturating_sub(1);
                false
            }
            Repr::Quick(quick) => quick.free_some(left),
        }
    }

    /// What [`Self::copy_some`] fills; a small one is copied at once.
    pub(crate) fn copy_begin(&self) -> Self {
        Self(match &self.0 {
            Repr::Quick(quick) => Repr::Quick(Box::new(quick.copy_begin())),
            Repr::Packed(packed) => Repr::Packed(packed.clone()),
        })
    }

    /// Copies about `left` bytes, from where the copy is. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, _: &mut u64, left: &mut usize) -> bool {
        match (&self.0, &mut to.0) {
            (Repr::Quick(from), Repr::Quick(to)) => from.copy_some(to, left),
            (Repr::Packed(_), Repr::Packed(_)) => false,
            (Repr::Quick(_), Repr::Packed(_)) | (Repr::Packed(_), Repr::Quick(_)) => other_form(),
        }
    }

    /// Whether it is dropped in no time.
    #[must_use]
    pub fn is_light(&self) -> bool {
        match &self.0 {
            Repr::Packed(_) => true,
            Repr::Quick(quick) => quick.is_light(),
        }
    }

    /// Makes ready for `texts` to be added: they may be too many or too long for the short form.
    #[inline]
    pub fn expect(&mut self, texts: &[&[u8]], rules: &Rules) {
        if matches!(self.0, Repr::Packed(_)) {
            self.expect_of_short(texts, rules);
        }
    }

    fn expect_of_short(&mut self, texts: &[&[u8]], rules: &Rules) {
        let Repr::Packed(packed) = &self.0 else { return };
        let bytes = packed.as_bytes().len() + texts.iter().map(|text| text.len()).sum::<usize>();
        if !NodeLimit::of(&rules.limits).allows(bytes, packed.len() + texts.len()) {
            self.become_quick();
        }
    }

    /// Adds an element at one end. Say [`List::expect`] before, once for all.
    #[inline]
    pub fn push(&mut self, end: End, text: &[u8], rules: &Rules) {
        match (&mut self.0, end) {
            (Repr::Packed(packed), End::Front) => packed.push_front(text),
            (Repr::Packed(packed), End::Back) => packed.push_back(text),
            (Repr::Quick(quick), _) => quick.push(end, text, NodeLimit::of(&rules.limits)),
        }
    }

    /// The element at one end.
    #[must_use]
    pub fn end(&self, end: End) -> Option<Str<'_>> {
        match (&self.0, end) {
            (Repr::Packed(packed), End::Front) => packed.first().map(|place| packed.get(place)),
            (Repr::Packed(packed), End::Back) => packed.last().map(|place| packed.get(place)),
            (Repr::Quick(quick), _) => quick.end(end),
        }
    }

    /// Takes out the element at one end, after a look at it. Say [`List::settle`] when done.
    #[inline]
    pub fn pop(&mut self, end: End, look: impl FnOnce(Str<'_>)) {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let place = if end == End::Front { packed.first() } else { packed.last() };
                if let Some(place) = place {
                    look(packed.get(place));
                    packed.remove(place, 1);
                }
            }
            Repr::Quick(quick) => quick.pop(end, look),
        }
    }

    /// Takes out `count` elements at one end, or all. Say [`List::settle`] when done.
    pub fn cut(&mut self, end: End, count: usize) {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let len = packed.len();
                let from = if end == End::Front { 0 } else { len.saturating_sub(count) };
                if let Some(place) = packed.seek(from) {
                    packed.remove(place, count);
                }
            }
            Repr::Quick(quick) => quick.cut(end, count),
        }
    }

    /// Element number `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Str<'_>> {
        match &self.0 {
            Repr::Packed(packed) => packed.seek(index).map(|place| packed.get(place)),
            Repr::Quick(quick) => quick.get(index),
        }
    }

    /// All elements in order.
    #[must_use]
    pub fn iter(&self) -> Elements<'_> {
        self.iter_from(0)
    }

    /// The elements from number `index` on.
    #[must_use]
    pub fn iter_from(&self, index: usize) -> Elements<'_> {
        Elements(match &self.0 {
            Repr::Packed(packed) => Walk::Packed(packed.iter_from(index)),
            Repr::Quick(quick) => Walk::Quick(quick.iter_from(index)),
        })
    }

    /// The elements from number `index` back to the first.
    #[must_use]
    pub fn iter_back_from(&self, index: usize) -> ElementsBack<'_> {
        ElementsBack(match &self.0 {
            Repr::Packed(packed) => WalkBack::Packed(packed.iter_back_from(index)),
            Repr::Quick(quick) => WalkBack::Quick(quick.iter_back_from(index)),
        })
    }

    /// Puts another element in the place of number `index`. False if there is none. Say
    /// [`List::expect`] before and [`List::settle`] after.
    pub fn set(&mut self, index: usize, text: &[u8], rules: &Rules) -> bool {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let found = packed.seek(index);
                if let Some(place) = found {
                    packed.replace(place, text);
                }
                found.is_some()
            }
            Repr::Quick(quick) => quick.set(index, text, NodeLimit::of(&rules.limits)),
        }
    }

    /// Puts an element before number `index`, or at the end. Say [`List::expect`] before.
    pub fn insert(&mut self, index: usize, text: &[u8], rules: &Rules) {
        match &mut self.0 {
            Repr::Packed(packed) => match packed.seek(index) {
                Some(place) => packed.insert(place, text),
                None => packed.push_back(text),
            },
            Repr::Quick(quick) => quick.insert(index, text, NodeLimit::of(&rules.limits)),
        }
    }

    /// Takes out elements that are `text`, at most `count`, from one end on; gives how many. Say
    /// [`List::settle`] when done.
    pub fn remove_matching(&mut self, text: &[u8], from: End, count: usize) -> usize {
        match &mut self.0 {
            Repr::Packed(packed) => packed.remove_matching(text, from == End::Back, count),
            Repr::Quick(quick) => quick.remove_matching(text, from, count),
        }
    }

    /// The short form again, if it became short enough.
    pub fn settle(&mut self, rules: &Rules) {
        let Repr::Quick(quick) = &self.0 else { return };
        let Some(node) = quick.only_node() else { return };
        let limit = NodeLimit::of(&rules.limits).halved();
        if limit.allows(node.sealed_len() + node.count() + quick::FRAME, node.count()) {
            self.0 = Repr::Packed(node.to_packed());
        }
    }

    /// The blocks it lies in.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.blocks_from(0)
    }

    /// How many those are.
    #[must_use]
    pub fn block_count(&self) -> usize {
        match &self.0 {
            Repr::Packed(_) => 1,
            Repr::Quick(quick) => quick.node_count(),
        }
    }

    /// The blocks from one on. Those before it are passed by many at a time.
    pub fn blocks_from(&self, at: usize) -> impl Iterator<Item = Block<'_>> {
        let (packed, quick) = match &self.0 {
            Repr::Packed(packed) => {
                (Some((Run::over(packed.elements(), true), packed.len())), None)
            }
            Repr::Quick(quick) => (None, Some(quick)),
        };
        let packed = packed.into_iter().skip(at);
        let nodes = quick.into_iter().flat_map(move |quick| quick.nodes_from(at));
        let nodes = nodes.map(|node| (node.run(), node.count()));
        packed.chain(nodes).map(|(elements, count)| Block { elements, count })
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }

    fn become_quick(&mut self) {
        if let Repr::Packed(packed) = &self.0 {
            let node = Node::of(packed.elements(), packed.len());
            self.0 = Repr::Quick(Box::new(Quick::of(node)));
        }
    }
}

/// A run of a list's elements, as they lie in memory.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    elements: Run<'a>,
    count: usize,
}

impl<'a> Block<'a> {
    /// The only element, if it is too long to share a block with others.
    #[must_use]
    pub fn long_element(&self, limits: &Limits) -> Option<&'a [u8]> {
        match { self.elements }.next()? {
            Str::Bytes(text) if self.count == 1 && !NodeLimit::of(limits).allows(text.len(), 1) => {
                Some(text)
            }
            Str::Bytes(_) | Str::Int(_) => None,
        }
    }

    /// The elements as a listpack.
    #[must_use]
    pub fn to_packed(&self) -> Packed {
        self.elements.to_packed(self.count)
    }
}

/// Elements of a list in order.
#[derive(Clone)]
pub struct Elements<'a>(Walk<'a>);

#[derive(Clone)]
enum Walk<'a> {
    Packed(packed::Iter<'a>),
    Quick(QuickIter<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = Str<'a>;

    #[inline]
    fn next(&mut self) -> Option<Str<'a>> {
        match &mut self.0 {
            Walk::Packed(rest) => rest.next(),
            Walk::Quick(rest) => rest.next(),
        }
    }
}

/// Elements of a list from some place back to the first.
#[derive(Clone)]
pub struct ElementsBack<'a>(WalkBack<'a>);

#[derive(Clone)]
enum WalkBack<'a> {
    Packed(packed::IterBack<'a>),
    Quick(QuickIterBack<'a>),
}

impl<'a> Iterator for ElementsBack<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Str<'a>> {
        match &mut self.0 {
            WalkBack::Packed(rest) => rest.next(),
            WalkBack::Quick(rest) => rest.next(),
        }
    }
}
