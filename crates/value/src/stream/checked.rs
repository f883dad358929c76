//! Blocks from outside: what a snapshot or a payload says is one, held against what ours always are.
//!
//! Everything else here trusts its blocks. So a block is walked once, all of it, before it comes in.

use std::ops::Bound;

use super::block::Block;
use super::{Stream, StreamId};
use crate::{Iter, Packed, Str};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// What a sound block holds.
struct Found {
    live: u64,
    last: StreamId,
}

impl Stream {
    /// The blocks with their first ids.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = (StreamId, &Block)> {
        self.body.blocks.iter().map(|(first, block)| (*first, block))
    }

    /// Those behind the one of this id, or all.
    pub fn blocks_behind(&self, id: Option<StreamId>) -> impl Iterator<Item = (StreamId, &Block)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        let blocks = self.body.blocks.range((from, Bound::Unbounded));
        blocks.map(|(first, block)| (*first, block))
    }

    /// Adds a block behind all others; one without entries is left out. False when it is damaged or not
    /// behind them: then nothing changes.
    pub fn push_block(&mut self, first: StreamId, block: &Packed) -> bool {
        let body = &mut *self.body;
        if body.blocks.contains_key(&first) {
            return false;
        }
        let Some(found) = check(block, first, body.last_id) else { return false };
        body.last_id = found.last;
        if found.live > 0 {
            body.blocks.insert(first, Block::of_packed(block));
            self.len += found.live;
            if self.body.first_id == StreamId::MIN {
                self.find_first();
            }
        }
        true
    }
}

fn int(texts: &mut Iter<'_>) -> Option<i64> {
    match texts.next()? {
        Str::Int(value) => Some(value),
        Str::Bytes(_) => None,
    }
}

fn count(texts: &mut Iter<'_>) -> Option<usize> {
    int(texts).and_then(|count| usize::try_from(count).ok())
}

fn skip(texts: &mut Iter<'_>, count: usize) -> Option<()> {
    (0..count).try_for_each(|_| texts.next().map(drop))
}

/// Walks a block whose entries are to come after `before`.
fn check(block: &Packed, first: StreamId, mut before: StreamId) -> Option<Found> {
    let mut texts = block.iter();
    let (live, deleted) = (count(&mut texts)? as u64, count(&mut texts)? as u64);
    let names = count(&mut texts)?;
    skip(&mut texts, names)?;
    let is_ended = int(&mut texts)? == 0;
    let (mut live_seen, mut deleted_seen) = (0, 0);
    while texts.clone().next().is_some() {
        let flags = int(&mut texts)?;
        let id = StreamId {
            ms: first.ms.wrapping_add(int(&mut texts)? as u64),
            seq: first.seq.wrapping_add(int(&mut texts)? as u64),
        };
        if flags & !(DELETED | SAME_FIELDS) != 0 || id <= before || id < first {
            return None;
        }
        let elements = if flags & SAME_FIELDS != 0 {
            skip(&mut texts, names)?;
            names + 3
        } else {
            let fields = count(&mut texts)?;
            skip(&mut texts, fields.checked_mul(2)?)?;
            fields * 2 + 4
        };
        if count(&mut texts)? != elements {
            return None;
        }
        let seen = if flags & DELETED == 0 { &mut live_seen } else { &mut deleted_seen };
        *seen += 1;
        before = id;
    }
    let is_sound = is_ended && (live, deleted) == (live_seen, deleted_seen);
    (is_sound && live + deleted > 0).then_some(Found { live, last: before })
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::super::{BlockLimits, Stream, StreamId};
    use crate::{Packed, Str};

    /// A stream of several blocks, some entries deleted.
    fn stream(rng: &mut Rng) -> Stream {
        let mut stream = Stream::default();
        for at in 0..1 + rng.below(40) {
            let id = StreamId { ms: 5 + at / 3, seq: 1 + at };
            let fields: [&[u8]; 4] = [b"a", b"1", if rng.one_in(3) { b"b" } else { b"c" }, b"text"];
            stream.push(id, &fields, BlockLimits { bytes: 200, entries: 7 });
        }
        for at in 0..rng.below(20) {
            stream.remove(StreamId { ms: 5 + at / 3, seq: 1 + at });
        }
        stream
    }

    #[test]
    fn blocks_that_went_out_come_in_again() {
        for seed in 0..200 {
            let original = stream(&mut Rng::new(seed));
            let mut copy = Stream::default();
            for (first, block) in original.blocks() {
                let packed = block.to_packed();
                assert_eq!(packed.as_bytes().len(), block.published(), "seed {seed}");
                assert!(copy.push_block(first, &packed), "seed {seed}");
            }
            assert_eq!(copy.first_id(), original.first_id(), "seed {seed}");
            assert!(copy.last_id() <= original.last_id(), "seed {seed}");
            let told = (original.last_id(), original.entries_added(), original.max_deleted_id());
            copy.set_last_id(told.0, Some(told.1), Some(told.2));
            assert!(copy.same(&original), "seed {seed}");
        }
    }

    #[test]
    fn a_block_is_no_block_with_any_number_of_its_frame_changed() {
        let mut whole = Stream::default();
        for seq in 1..4 {
            let fields: [&[u8]; 2] = [b"f", b"v"];
            whole.push(StreamId { ms: 9, seq }, &fields, BlockLimits { bytes: 0, entries: 0 });
        }
        let (first, block) = whole.blocks().next().expect("one block");
        let block = block.to_packed();
        let texts: Vec<Str<'_>> = block.iter().collect();
        for (at, text) in texts.iter().enumerate() {
            if !matches!(text, Str::Int(_)) {
                continue;
            }
            let others = [-1, 4, 70, 1 << 40, i64::MAX, i64::MIN];
            for value in others.into_iter().filter(|value| *text != Str::Int(*value)) {
                let mut changed = texts.clone();
                changed[at] = Str::Int(value);
                let block = Packed::collect(changed.into_iter());
                let mut copy = Stream::default();
                // Another id may be as good, behind a head of five elements and in entries of five.
                let is_id = at > 5 && matches!(at % 5, 1 | 2);
                let taken = copy.push_block(first, &block);
                let ids: Vec<StreamId> = copy.iter().map(|entry| entry.id).collect();
                let is_sound = is_id && ids.len() == 3 && ids.is_sorted();
                assert!(!taken || is_sound, "{at}: {value}");
            }
        }
        let cut = Packed::collect(texts[..texts.len() - 1].iter().copied());
        assert!(!Stream::default().push_block(first, &cut));
        assert!(!Stream::default().push_block(first, &Packed::new()));
        let mut twice = Stream::default();
        assert!(twice.push_block(first, &block) && !twice.push_block(first, &block));
    }

    #[test]
    fn damaged_blocks_are_refused_or_harmless() {
        for seed in 0..if cfg!(miri) { 20 } else { 3_000 } {
            let mut rng = Rng::new(seed);
            let original = stream(&mut rng);
            let mut copy = Stream::default();
            for (first, block) in original.blocks() {
                let block = block.to_packed();
                let mut texts: Vec<Str<'_>> = block.iter().collect();
                let at = rng.below(texts.len() as u64) as usize;
                match rng.below(4) {
                    0 => drop(texts.remove(at)),
                    1 => texts.insert(at, Str::Int(rng.below(9) as i64 - 2)),
                    2 => texts[at] = Str::Bytes(b"odd"),
                    _ => texts[at] = Str::Int(rng.next() as i64 >> rng.below(64)),
                }
                copy.push_block(first, &Packed::collect(texts.into_iter()));
            }
            let ids: Vec<StreamId> = copy.iter().map(|entry| entry.id).collect();
            assert!(ids.is_sorted(), "seed {seed}");
            assert_eq!(ids.len(), copy.len(), "seed {seed}");
            for id in ids {
                assert!(copy.contains(id) && copy.remove(id), "seed {seed}, {id}");
            }
            assert_eq!(copy.iter().count(), 0, "seed {seed}");
        }
    }
}
