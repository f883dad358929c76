//! A walk over entries, either way, deleted ones left out.

use std::collections::BTreeMap;
use std::collections::btree_map;

use super::StreamId;
use super::block::{Block, Entries, Fields, Found};

/// An entry.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Its fields with their values.
    pub fields: Fields<'a>,
}

impl PartialEq for Entry<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.fields.clone().eq(other.fields.clone())
    }
}

/// Entries in order.
pub struct Range<'a> {
    blocks: btree_map::Range<'a, StreamId, Block>,
    walk: Option<Walk<'a>>,
    from: StreamId,
    to: StreamId,
    backwards: bool,
}

enum Walk<'a> {
    Forwards(Entries<'a>),
    /// A block, its first id, and where the entries end that were not given yet.
    Backwards(&'a Block, StreamId, usize),
}

impl<'a> Range<'a> {
    pub(super) fn new(
        blocks: &'a BTreeMap<StreamId, Block>,
        from: StreamId,
        to: StreamId,
        backwards: bool,
    ) -> Self {
        let begin = blocks.range(..=from).next_back().map_or(from, |(first, _)| *first);
        // Bounds in the wrong order the map would not take; the walk finds nothing between them.
        let blocks = blocks.range(begin..=to.max(from));
        Self { blocks, walk: None, from, to, backwards }
    }

    fn step(&mut self) -> Option<Found<'a>> {
        loop {
            let found = match &mut self.walk {
                Some(Walk::Forwards(entries)) => entries.next(),
                Some(Walk::Backwards(block, first, end)) => {
                    let found = block.before(*first, *end);
                    *end = found.as_ref().map_or(0, |found| found.at);
                    found
                }
                None => None,
            };
            if found.is_some() {
                return found;
            }
            self.walk = Some(if self.backwards {
                let (first, block) = self.blocks.next_back()?;
                Walk::Backwards(block, *first, block.end())
            } else {
                let (first, block) = self.blocks.next()?;
                Walk::Forwards(block.entries(*first))
            });
        }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let found = self.step()?;
            let is_behind = if self.backwards { found.id < self.from } else { found.id > self.to };
            if is_behind {
                return None;
            }
            let is_inside = self.from <= found.id && found.id <= self.to;
            if is_inside && !found.is_deleted {
                return Some(Entry { id: found.id, fields: found.fields });
            }
        }
    }
}
