//! Every layout there and back, and what becomes of damaged ones.

use stoa_stdx::{HashSeed, Rng, UnixMs, crc64};
use stoa_value::{
    BlockLimits, Consumer, End, Group, Hash, Kind as _, Limits, List, Object, Pending, Rules, Set,
    SortedSet, Str, Stream, StreamId,
};

use super::Loaded;
use crate::write::ValueRef;
use crate::{Damaged, Kind, Reader, Refusal, dump, load, restore};

pub(crate) fn rules(rng: &mut Rng) -> Rules {
    let limits = match rng.below(3) {
        0 => Limits {
            hash_max_entries: 4,
            hash_max_value: 20,
            list_max_size: 5,
            set_max_intset_entries: 6,
            set_max_entries: 4,
            set_max_value: 20,
            zset_max_entries: 3,
            zset_max_value: 20,
        },
        1 => Limits { list_max_size: -1, ..Limits::default() },
        _ => Limits::default(),
    };
    Rules { limits, seed: HashSeed::new([1, 2, 3, 4]) }
}

pub(crate) fn text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0 => (rng.next() as i64 >> rng.below(64)).to_string().into_bytes(),
        1 => vec![b'r'; rng.below(300) as usize],
        2 => (0..rng.below(40)).map(|_| rng.next() as u8).collect(),
        3 if rng.one_in(20) => vec![b'l'; 4_000 + rng.below(9_000) as usize],
        _ => rng.below(60).to_string().into_bytes(),
    }
}

fn score(rng: &mut Rng) -> f64 {
    match rng.below(5) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => rng.below(1_000) as f64 / 7.0,
        3 => f64::from_bits(rng.next()),
        _ => rng.below(10) as f64 - 5.0,
    }
}

fn stream(rng: &mut Rng) -> Stream {
    let mut stream = Stream::default();
    let limits = BlockLimits { bytes: 300, entries: 1 + rng.below(9) as usize };
    for at in 0..rng.below(30) {
        let id = StreamId { ms: 5 + at / 3, seq: 1 + at };
        let fields = [b"a".to_vec(), text(rng), b"b".to_vec(), text(rng)];
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        stream.push(id, &fields[..if rng.one_in(4) { 2 } else { 4 }], limits);
    }
    for at in 0..rng.below(20) {
        stream.remove(StreamId { ms: 5 + at / 3, seq: 1 + at });
    }
    for name in 0..rng.below(3) {
        let read = (!rng.one_in(3)).then(|| rng.below(30));
        let mut group = Group::new(StreamId { ms: rng.below(12), seq: 0 }, read);
        let consumers: Vec<_> =
            (0..rng.below(3)).filter_map(|n| group.add(n.to_string().as_bytes(), n)).collect();
        for consumer in &consumers {
            let Consumer { active_ms, .. } = group.consumer_mut(*consumer);
            *active_ms = (!rng.one_in(2)).then(|| rng.below(100));
        }
        for seq in 0..rng.below(9) {
            let Some(consumer) = consumers.first().copied() else { break };
            let consumer = if rng.one_in(2) { consumer } else { *rng.pick(&consumers) };
            let pending = Pending { delivered_ms: rng.below(99), count: rng.below(5), consumer };
            group.deliver(StreamId { ms: 5, seq }, pending);
        }
        stream.put_group(name.to_string().as_bytes(), group);
    }
    stream
}

/// Some value of any type but string.
pub(crate) fn object(rng: &mut Rng, rules: &Rules) -> Object {
    let len = 1 + if rng.one_in(8) { rng.below(700) } else { rng.below(12) };
    match rng.below(5) {
        0 => {
            let mut list = List::default();
            for _ in 0..len {
                let text = text(rng);
                list.expect(&[&text], rules);
                list.push(if rng.one_in(2) { End::Back } else { End::Front }, &text, rules);
            }
            list.into_object()
        }
        1 => {
            let mut set = Set::default();
            let ints_only = rng.one_in(2);
            for _ in 0..len {
                let int = rng.next() as i64 >> (40 + rng.below(24));
                let member = if ints_only { int.to_string().into_bytes() } else { text(rng) };
                set.add(&member, rules);
            }
            set.into_object()
        }
        2 => {
            let mut set = SortedSet::default();
            for _ in 0..len {
                let score = score(rng);
                set.insert(&text(rng), if score.is_nan() { 0.0 } else { score }, rules);
            }
            set.into_object()
        }
        3 => {
            let mut hash = Hash::default();
            let (with_deadlines, distant) = (rng.one_in(2), rng.below(1 << 47));
            for _ in 0..len {
                let field = text(rng);
                hash.set(&field, &text(rng), rules);
                if with_deadlines && rng.one_in(2) {
                    hash.set_deadline(&field, Some(UnixMs(1 + distant + rng.below(1_000))));
                }
            }
            hash.into_object()
        }
        _ => stream(rng).into_object(),
    }
}

fn dumped(value: &Loaded, rules: &Rules, compresses: bool) -> Vec<u8> {
    let value = match value {
        Loaded::String(text) => ValueRef::String(Str::Bytes(text)),
        Loaded::Object(object) => ValueRef::Object(object.as_ref()),
    };
    dump(value, &rules.limits, compresses)
}

/// With the footer that its content ought to have.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    content.extend_from_slice(&[12, 0]);
    content.extend_from_slice(&crc64(&content).to_le_bytes());
    content
}

#[test]
fn every_value_comes_back_as_it_went() {
    for seed in 0..3_000 {
        let mut rng = Rng::new(seed);
        let rules = rules(&mut rng);
        let value = match rng.below(8) {
            0 => Loaded::String(text(&mut rng)),
            _ => Loaded::Object(object(&mut rng, &rules)),
        };
        let payload = dumped(&value, &rules, rng.one_in(2));
        let back = restore(&payload, true, &rules);
        assert_eq!(back.as_ref(), Ok(&value), "seed {seed}");
        if let (Loaded::Object(value), Ok(Loaded::Object(back))) = (&value, &back) {
            // A table may hold what became few; a packed hash with deadlines keeps its form.
            let is_packed = value.as_ref().encoding().starts_with("listpack");
            assert!(
                !is_packed || value.as_ref().encoding() == back.as_ref().encoding(),
                "seed {seed}"
            );
        }
        let other = self::rules(&mut rng);
        assert_eq!(restore(&payload, true, &other), Ok(value), "seed {seed}, other limits");
    }
}

#[test]
fn a_payload_with_any_bit_changed_is_refused() {
    let rules = rules(&mut Rng::new(2));
    let value = Loaded::Object(stream(&mut Rng::new(5)).into_object());
    let payload = dumped(&value, &rules, true);
    for at in 0..payload.len() {
        let mut damaged = payload.clone();
        damaged[at] ^= 1 << (at % 8);
        assert_eq!(restore(&damaged, true, &rules), Err(Refusal::Footer), "{at}");
        assert_eq!(restore(&payload[..at], true, &rules), Err(Refusal::Footer), "{at}");
    }
}

#[test]
fn versions_to_come_are_refused_and_old_ones_read() {
    let rules = rules(&mut Rng::new(2));
    for (version, is_read) in [(0_u16, true), (6, true), (12, true), (13, false), (80, false)] {
        let mut payload = b"\x00\x01x".to_vec();
        payload.extend_from_slice(&version.to_le_bytes());
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        let read = restore(&payload, true, &rules);
        assert_eq!(read.is_ok(), is_read, "{version}");
    }
    assert_eq!(restore(&[0; 9], true, &rules), Err(Refusal::Footer));
    let wrong = b"\x00\x01x\x0c\0\0\0\0\0\0\0\0\0";
    assert_eq!(restore(wrong, true, &rules), Err(Refusal::Footer));
    assert_eq!(restore(wrong, false, &rules), Ok(Loaded::String(b"x".to_vec())));
}

/// Bytes that a value takes.
fn bytes(value: &Loaded) -> usize {
    match value {
        Loaded::String(text) => text.len(),
        Loaded::Object(object) => object.as_ref().bytes(),
    }
}

#[test]
fn damaged_values_are_refused_or_sound() {
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let rules = rules(&mut rng);
        let value = Loaded::Object(object(&mut rng, &rules));
        let mut content = dumped(&value, &rules, rng.one_in(8));
        content.truncate(content.len() - 10);
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(content.len() as u64) as usize;
            match rng.below(5) {
                0 => content.truncate(at.max(1)),
                1 => content.insert(at, rng.next() as u8),
                2 => content[at] ^= 1 << rng.below(8),
                3 => content[at] = [0, 1, 0x7f, 0x80, 0x81, 0xff][rng.below(6) as usize],
                _ => content[0] = rng.below(27) as u8,
            }
        }
        let payload = sealed(content);
        match restore(&payload, true, &rules) {
            Err(_) => refused += 1,
            Ok(value) => {
                taken += 1;
                // Compressed text is as long as it says: what counts is what it unpacks to.
                let plain = dumped(&value, &rules, false);
                let allowed = 64 * 1_024 + 16 * plain.len().max(payload.len());
                assert!(bytes(&value) <= allowed, "seed {seed}: {} bytes", bytes(&value));
                // Sound: it goes out and comes in again.
                let again = restore(&plain, true, &rules).expect("ours");
                assert_eq!(dumped(&again, &rules, false), plain, "seed {seed}: {value:?}");
            }
        }
    }
    assert!(refused > 2_000 && taken > 2_000, "{refused} refused, {taken} taken");
}

fn loaded(kind: Kind, content: &[u8]) -> Result<Loaded, Damaged> {
    load(kind, &mut Reader::new(content, 1 << 20), &rules(&mut Rng::new(2)))
}

fn hash_of(pairs: &[(&str, &str)]) -> Loaded {
    let rules = rules(&mut Rng::new(2));
    let mut hash = Hash::default();
    for (field, value) in pairs {
        hash.set(field.as_bytes(), value.as_bytes(), &rules);
    }
    Loaded::Object(hash.into_object())
}

#[test]
fn layouts_of_old_versions_are_read() {
    let rules = rules(&mut Rng::new(2));
    let mut list = List::default();
    [&b"a"[..], b"12", b"b"].iter().for_each(|text| list.push(End::Back, text, &rules));
    let list = Loaded::Object(list.into_object());
    let mut zset = SortedSet::default();
    [(&b"a"[..], -1.5), (b"b", 2.0)].iter().for_each(|(member, score)| {
        zset.insert(member, *score, &rules);
    });
    let zset = Loaded::Object(zset.into_object());
    assert_eq!(loaded(Kind::List, b"\x03\x01a\xc0\x0c\x01b").as_ref(), Ok(&list));
    let ziplist = b"\x11\0\0\0\x0f\0\0\0\x03\0\0\x01a\x03\xfe\x0c\x03\x01b\xff";
    let mut ziplist = ziplist.to_vec();
    ziplist[0] = ziplist.len() as u8;
    ziplist[4] = ziplist.len() as u8 - 4;
    let mut content = vec![ziplist.len() as u8];
    content.extend_from_slice(&ziplist);
    assert_eq!(loaded(Kind::ListZiplist, &content).as_ref(), Ok(&list));
    content.insert(0, 1);
    assert_eq!(loaded(Kind::ListZiplists, &content).as_ref(), Ok(&list));
    assert_eq!(loaded(Kind::ZsetText, b"\x02\x01b\x012\x01a\x04-1.5").as_ref(), Ok(&zset));
    assert!(loaded(Kind::ZsetText, b"\x01\x01b\xfe").is_ok());
    assert!(loaded(Kind::ZsetText, b"\x01\x01b\xfd").is_err(), "no number");
    let zipmap = b"\x0b\x02\x01f\x01\x00v\x01g\x01\x00w\xff";
    let mut zipmap = zipmap.to_vec();
    zipmap[0] = zipmap.len() as u8 - 1;
    assert_eq!(loaded(Kind::HashZipmap, &zipmap), Ok(hash_of(&[("f", "v"), ("g", "w")])));
}

#[test]
fn what_no_command_could_have_made_is_refused() {
    let twice = b"\x02\x01a\x01a";
    let not_sorted = b"\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0";
    let no_number = b"\x01\x01a\0\0\0\0\0\0\xf8\x7f";
    for (kind, content) in [
        (Kind::Set, &twice[..]),
        (Kind::Set, b"\x00"),
        (Kind::SetInts, not_sorted),
        (Kind::SetInts, b"\x08\x02\0\0\0\0\0\0\0"),
        (Kind::Zset, no_number),
        (Kind::Hash, b"\x02\x01a\x01b\x01a\x01c"),
        (Kind::Hash, b"\x00"),
        (Kind::List, b"\x00"),
        (Kind::ListListpacks, b"\x01\x02\x07\x07\0\0\0\0\0\xff"),
        (Kind::ListListpacks, b"\x01\x03\x01a"),
        (Kind::HashListpack, b"\x0a\x0a\0\0\0\x01\0\x81a\x02\xff"),
        (Kind::SetListpack, b"\x0d\x0d\0\0\0\x02\0\x81a\x02\x81a\x02\xff"),
        // A deadline beyond the last.
        (Kind::HashDeadlines0, b"\x01\x81\0\xff\xff\xff\xff\xff\xff\xff\x01f\x01v"),
        // More entries than can be counted on from.
        (
            Kind::Stream2,
            b"\x00\x00\x01\x01\x00\x00\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00",
        ),
        // Counts that promise the world.
        (Kind::List, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a"),
        (Kind::Stream3, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        assert!(loaded(kind, content).is_err(), "{kind:?}: {content:?}");
    }
}

#[test]
fn a_stream_without_entries_is_one() {
    let content = b"\x00\x00\x01\x01\x00\x00\x00\x00\x07\x00";
    let Ok(Loaded::Object(Object::Stream(stream))) = loaded(Kind::Stream2, content) else {
        panic!("it is a stream");
    };
    assert_eq!((stream.len(), stream.entries_added()), (0, 7));
    assert_eq!(stream.last_id(), StreamId { ms: 1, seq: 1 });
}

#[test]
fn numbers_of_kinds_are_their_own() {
    for number in 0..=u8::MAX {
        assert!(Kind::of(number).is_none_or(|kind| kind as u8 == number));
    }
    assert_eq!((0..=u8::MAX).filter_map(Kind::of).count(), 23);
    assert_eq!([6, 7, 8, 26].map(Kind::of), [None; 4]);
}
