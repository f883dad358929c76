//! What RESTORE takes in random programs: a payload of each type, small and large, and damaged ones.
//!
//! No random word has the right checksum, and RESTORE of what DUMP answered before would need a
//! program that knows its replies. The damaged ones have a right checksum, too: they are refused for
//! what is in them, or let in values that no command would make, for the commands around to meet.

use std::sync::LazyLock;

use stoa_rdb::{ValueRef, dump};
use stoa_stdx::{HashSeed, Rng, UnixMs, crc64};
use stoa_value::{
    BlockLimits, End, Group, Hash, Kind as _, Limits, List, Object, Pending, Rules, Set, SortedSet,
    Str, Stream, StreamId,
};

use crate::world::START;

/// Version and checksum.
const FOOTER_LEN: usize = 10;

/// A payload, sound or damaged.
pub(crate) fn any(rng: &mut Rng) -> Vec<u8> {
    let mut payload = rng.pick(&PAYLOADS).clone();
    if rng.one_in(3) {
        payload.truncate(payload.len() - FOOTER_LEN);
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(payload.len() as u64) as usize;
            match rng.below(4) {
                0 => payload[at] ^= 1 << rng.below(8),
                1 => payload[at] = rng.next() as u8,
                2 => payload.insert(at, rng.next() as u8),
                _ => payload.truncate(at.max(1)),
            }
        }
        payload.extend_from_slice(&stoa_rdb::VERSION.to_le_bytes());
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
    }
    payload
}

/// Payloads that are sound, and one whose checksum is wrong.
static PAYLOADS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let limits = Limits::default();
    let strings = [Str::Int(7), Str::Bytes(b"text"), Str::Bytes(&[b'l'; 100])];
    let mut all: Vec<Vec<u8>> =
        strings.iter().map(|text| dump(ValueRef::String(*text), &limits, true)).collect();
    for len in [3, 600] {
        let objects = objects(len);
        all.extend(objects.iter().map(|it| dump(ValueRef::Object(it.as_ref()), &limits, true)));
    }
    let mut damaged = all[1].clone();
    damaged[2] ^= 1;
    all.push(damaged);
    all
});

fn objects(len: i64) -> Vec<Object> {
    let rules = Rules { limits: Limits::default(), seed: HashSeed::new([1, 2, 3, 4]) };
    let (mut list, mut set, mut ints) = (List::default(), Set::default(), Set::default());
    let (mut zset, mut hash, mut stream) =
        (SortedSet::default(), Hash::default(), Stream::default());
    for n in 0..len {
        let (digits, name) = (n.to_string(), format!("member {n}"));
        list.expect(&[name.as_bytes()], &rules);
        list.push(End::Back, name.as_bytes(), &rules);
        set.add(name.as_bytes(), &rules);
        ints.add(digits.as_bytes(), &rules);
        zset.insert(name.as_bytes(), n as f64 / 2.0, &rules);
        hash.set(name.as_bytes(), digits.as_bytes(), &rules);
        if n % 3 == 1 {
            let soon = UnixMs(START.unix.0 + 50 * n as u64);
            hash.set_deadline(name.as_bytes(), Some(soon));
        }
        let id = StreamId { ms: 1 + n as u64, seq: 1 };
        let limits = BlockLimits { bytes: 4_096, entries: 100 };
        stream.push(id, &[b"field", digits.as_bytes()], limits);
    }
    let mut group = Group::new(StreamId { ms: 2, seq: 1 }, Some(2));
    if let Some(consumer) = group.add(b"one", START.unix.0) {
        let delivered_ms = START.unix.0;
        for ms in 1..=2 {
            let pending = Pending { delivered_ms, count: 1, consumer };
            group.deliver(StreamId { ms, seq: 1 }, pending);
        }
    }
    stream.put_group(b"g", group);
    vec![
        list.into_object(),
        set.into_object(),
        ints.into_object(),
        zset.into_object(),
        hash.into_object(),
        stream.into_object(),
    ]
}
