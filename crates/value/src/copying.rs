//! A copy of a value that is made in portions, for values too large to be copied at once.
//!
//! Blocks are copied whole and in order, as they lie: hashing every member anew would take some twenty
//! times as long. So a portion is told in bytes, with something for each block that is made, and what
//! the copy has so far says where it goes on; a table says it by a position in hash order, because its
//! leaves may be empty. The original must not change in between, which whoever copies sees to.

use crate::object::{Object, ObjectRef};

/// What a block counts for besides its bytes.
const BLOCK_LEN: usize = 128;

/// Takes a block off what a portion has left.
pub(crate) const fn spend(left: &mut usize, bytes: usize) {
    *left = left.saturating_sub(bytes + BLOCK_LEN);
}

/// A copy that may not be whole yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    to: Object,
    /// Where it goes on, for those that cannot tell by what they have.
    at: u64,
}

impl Copying {
    /// Begins a copy of `from`. What is small is copied already.
    #[must_use]
    pub fn begin(from: ObjectRef<'_>) -> Self {
        Self { to: from.copy_begin(), at: 0 }
    }

    /// Copies about `left` bytes more of the same value, and takes them off it. True when there are
    /// more.
    ///
    /// # Panics
    /// When `from` is of another type or form than the copy was begun with.
    pub fn go_on(&mut self, from: ObjectRef<'_>, left: &mut usize) -> bool {
        from.copy_some(&mut self.to, &mut self.at, left)
    }

    /// The copy, which is whole.
    #[must_use]
    pub fn finish(self) -> Object {
        self.to
    }
}

/// For copies whose original turned into something else meanwhile.
pub(crate) fn other_form() -> ! {
    unreachable!("what is copied does not change its form meanwhile")
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{HashSeed, Rng, UnixMs};

    use super::Copying;
    use crate::stream::BlockLimits;
    use crate::{
        End, Hash, Kind, Limits, List, Object, Pending, Rules, Set, SortedSet, Stream, StreamId,
    };

    fn rules() -> Rules {
        Rules { limits: Limits::default(), seed: HashSeed::new([5, 6, 7, 8]) }
    }

    /// Some text, now and then a long one.
    fn text(rng: &mut Rng, n: u64) -> Vec<u8> {
        let len = if rng.one_in(40) { 300 + rng.below(2_000) } else { rng.below(20) };
        let mut text = n.to_string().into_bytes();
        text.resize(text.len() + len as usize, b'x');
        text
    }

    fn stream(rng: &mut Rng, len: u64) -> Stream {
        let mut stream = Stream::default();
        let limits = BlockLimits { bytes: 400, entries: 10 };
        for n in 0..len {
            let value = text(rng, n);
            stream.push(StreamId { ms: n + 1, seq: 0 }, &[b"field", &value], limits);
        }
        for group in 0..rng.below(4) {
            let group = stream.groups_mut().entry(text(rng, group).into()).or_default();
            let consumers: Vec<_> = (0..1 + rng.below(4))
                .map(|n| group.add(n.to_string().as_bytes(), n).expect("a new name"))
                .collect();
            for n in 0..rng.below(len + 1) {
                let consumer = consumers[rng.below(consumers.len() as u64) as usize];
                let pending = Pending { delivered_ms: n, count: 1 + rng.below(3), consumer };
                group.deliver(StreamId { ms: n + 1, seq: 0 }, pending);
            }
        }
        stream
    }

    fn value(rng: &mut Rng, len: u64) -> Object {
        let rules = rules();
        match rng.below(5) {
            0 => {
                let mut list = List::default();
                for n in 0..len {
                    let text = text(rng, n);
                    list.expect(&[&text], &rules);
                    list.push(End::Back, &text, &rules);
                }
                list.into_object()
            }
            1 => {
                let mut set = Set::default();
                let ints = rng.one_in(3);
                for n in 0..len {
                    let text = if ints { n.to_string().into_bytes() } else { text(rng, n) };
                    set.add(&text, &rules);
                }
                // Holes, and leaves that are empty.
                for n in 0..rng.below(len + 1) {
                    set.remove(n.to_string().as_bytes());
                }
                set.into_object()
            }
            2 => {
                let mut set = SortedSet::default();
                for n in 0..len {
                    set.insert(&text(rng, n), rng.below(1_000) as f64, &rules);
                }
                set.into_object()
            }
            3 => {
                let mut hash = Hash::default();
                let due = rng.one_in(2);
                for n in 0..len {
                    let (field, value) = (text(rng, n), text(rng, n));
                    hash.set(&field, &value, &rules);
                    if due && !rng.one_in(3) {
                        hash.set_deadline(&field, Some(UnixMs(1_000 + rng.below(500))));
                    }
                }
                hash.into_object()
            }
            _ => stream(rng, len).into_object(),
        }
    }

    #[test]
    fn a_copy_in_portions_of_any_size_is_the_value_and_lives_on_its_own() {
        for seed in 0..if cfg!(miri) { 8 } else { 120 } {
            let mut rng = Rng::new(seed);
            let len = if cfg!(miri) { 60 } else { 1 + rng.below(12_000) };
            let mut from = value(&mut rng, len);
            let most = if rng.one_in(3) { 40 } else { 100_000 };
            let portion = 1 + rng.below(most) as usize;
            let mut copying = Copying::begin(from.as_ref());
            let mut portions = 0_u64;
            while copying.go_on(from.as_ref(), &mut { portion }) {
                portions += 1;
                assert!(portions < 20 * len + 1_000, "seed {seed}: it comes to an end");
            }
            let mut copy = copying.finish();
            let case = format!("seed {seed}, {:?} of {len}", copy.as_ref().ty());
            assert!(copy == from.as_ref().to_object(), "{case}: the same content");
            assert_eq!(copy.as_ref().len(), from.as_ref().len(), "{case}");
            assert_eq!(copy.as_ref().encoding(), from.as_ref().encoding(), "{case}");
            while from.free_some(&mut 50) {}
            drop(from);
            change(&mut copy, &mut rng, &case);
            while copy.free_some(&mut 50) {}
        }
    }

    /// The copy is as good as one that grew by itself: changes of all kinds work on it.
    fn change(copy: &mut Object, rng: &mut Rng, case: &str) {
        let rules = rules();
        for n in 0..300 {
            let text = text(rng, 1_000_000 + n);
            match copy {
                Object::List(list) => {
                    list.expect(&[&text], &rules);
                    list.push(End::Front, &text, &rules);
                    assert_eq!(list.end(End::Front).map(|end| end.to_vec()), Some(text), "{case}");
                }
                Object::Set(set) => {
                    assert!(set.add(&text, &rules) && set.contains(&text), "{case}");
                    assert!(n % 2 == 0 || set.remove(&text), "{case}");
                }
                Object::SortedSet(set) => {
                    assert_eq!(set.insert(&text, 7.5, &rules), None, "{case}");
                    assert_eq!(set.score(&text), Some(7.5), "{case}");
                }
                Object::Hash(hash) => {
                    assert!(hash.set(&text, b"v", &rules) && hash.contains(&text), "{case}");
                }
                Object::Stream(stream) => {
                    let last = stream.last_id();
                    let id = StreamId { ms: last.ms + 1, seq: 0 };
                    let limits = BlockLimits { bytes: 400, entries: 10 };
                    stream.push(id, &[b"field", &text], limits);
                    assert!(stream.contains(id), "{case}");
                }
            }
        }
    }

    #[test]
    fn no_portion_copies_much_more_than_it_was_told() {
        let mut rng = Rng::new(1);
        for _ in 0..10 {
            let from = value(&mut rng, if cfg!(miri) { 50 } else { 20_000 });
            let mut copying = Copying::begin(from.as_ref());
            let whole = from.as_ref().bytes();
            let mut portions = 1;
            while copying.go_on(from.as_ref(), &mut { 16 << 10 }) {
                portions += 1;
            }
            // A leaf of a table may have forty kilobytes, and blocks have room that is not copied.
            let least = if from.as_ref().is_light() { 1 } else { whole / (96 << 10) };
            assert!(portions >= least, "{:?}: {portions} for {whole}", from.as_ref().ty());
        }
    }
}
