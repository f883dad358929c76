//! Replies: what the encoder writes, what the decoder reads, and that each reads the other.

mod vectors;

use stoa_resp::{DEPTH_MAX, DecodeError, Encoder, Framer, Proto, Value, decode};
use stoa_stdx::Rng;

fn show(value: &Value) -> String {
    let text = |bytes: &[u8]| format!("\"{}\"", vectors::escape(bytes));
    let list = |values: &[Value]| values.iter().map(show).collect::<Vec<_>>().join(", ");
    let pairs = |pairs: &[(Value, Value)]| {
        let pairs = pairs.iter().map(|(key, value)| format!("{}: {}", show(key), show(value)));
        pairs.collect::<Vec<_>>().join(", ")
    };
    match value {
        Value::Simple(bytes) => format!("Simple({})", text(bytes)),
        Value::Error(bytes) => format!("Error({})", text(bytes)),
        Value::Int(value) => format!("Int({value})"),
        Value::Bulk(bytes) => format!("Bulk({})", text(bytes)),
        Value::Null => "Null".to_owned(),
        Value::Array(values) => format!("Array[{}]", list(values)),
        Value::Map(map) => format!("Map{{{}}}", pairs(map)),
        Value::Set(values) => format!("Set[{}]", list(values)),
        Value::Push(values) => format!("Push[{}]", list(values)),
        Value::Double(value) => format!("Double({value:?})"),
        Value::Boolean(value) => format!("Boolean({value})"),
        Value::BigNumber(digits) => format!("BigNumber({})", text(digits)),
        Value::Verbatim { format, text: body } => {
            format!("Verbatim({}, {})", vectors::escape(format), text(body))
        }
        Value::Attribute { attributes, value } => {
            format!("Attribute{{{}}}({})", pairs(attributes), show(value))
        }
    }
}

fn decoded(input: &[u8]) -> String {
    match decode(input) {
        Ok(Some((value, len))) => {
            assert_eq!(len, input.len(), "{value:?}");
            show(&value)
        }
        Ok(None) => "incomplete".to_owned(),
        Err(error) => format!("error {error:?}"),
    }
}

#[test]
fn every_vector_decodes_as_written() {
    vectors::check(include_str!("vectors/replies.txt"), decoded);
}

/// What the encoder writes, in both protocols.
fn check(write: impl Fn(&mut Encoder<'_>), resp2: &str, resp3: &str) {
    for (proto, want) in [(Proto::Resp2, resp2), (Proto::Resp3, resp3)] {
        let mut out = Vec::new();
        write(&mut Encoder::new(&mut out, proto));
        assert_eq!(vectors::escape(&out), want, "{proto:?}");
    }
}

#[test]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method's path is good for one lifetime of the encoder only"
)]
fn every_type_has_its_form_in_both_protocols() {
    let same = |write: fn(&mut Encoder<'_>), want: &str| check(write, want, want);
    same(|to| to.simple("OK"), r"+OK\r\n");
    same(|to| to.ok(), r"+OK\r\n");
    same(|to| to.error(b"ERR no"), r"-ERR no\r\n");
    same(|to| to.int(7), r":7\r\n");
    same(|to| to.int(-1), r":-1\r\n");
    same(|to| to.int(10), r":10\r\n");
    same(|to| to.int(i64::MIN), r":-9223372036854775808\r\n");
    same(|to| to.bulk(b""), r"$0\r\n\r\n");
    same(|to| to.bulk(b"a\r\nb"), r"$4\r\na\r\nb\r\n");
    same(|to| to.bulk_int(-12), r"$3\r\n-12\r\n");
    same(|to| to.bulk_header(12), r"$12\r\n");
    same(|to| to.array(0), r"*0\r\n");
    same(|to| to.array(1_048_576), r"*1048576\r\n");
    check(|to| to.null(), r"$-1\r\n", r"_\r\n");
    check(|to| to.null_array(), r"*-1\r\n", r"_\r\n");
    check(|to| to.map(2), r"*4\r\n", r"%2\r\n");
    check(|to| to.set(2), r"*2\r\n", r"~2\r\n");
    check(|to| to.push(3), r"*3\r\n", r">3\r\n");
    check(|to| assert_eq!(to.attribute(1), to.proto == Proto::Resp3), "", r"|1\r\n");
    check(|to| to.double_digits("0.10"), r"$4\r\n0.10\r\n", r",0.10\r\n");
    check(|to| to.double(0.1), r"$3\r\n0.1\r\n", r",0.1\r\n");
    check(|to| to.double(f64::NEG_INFINITY), r"$4\r\n-inf\r\n", r",-inf\r\n");
    check(|to| to.boolean(true), r":1\r\n", r"#t\r\n");
    check(|to| to.boolean(false), r":0\r\n", r"#f\r\n");
    check(|to| to.big_number("-12345"), r"$6\r\n-12345\r\n", r"(-12345\r\n");
    check(|to| to.verbatim(b"txt", b"hi"), r"$2\r\nhi\r\n", r"=6\r\ntxt:hi\r\n");
}

#[test]
fn lengths_of_every_size_are_written_in_full() {
    for len in [0, 1, 9, 10, 99, 100, 101, 16_384] {
        let (mut out, payload) = (Vec::new(), vec![b'x'; len]);
        Encoder::new(&mut out, Proto::Resp2).bulk(&payload);
        let (header, rest) = out.split_at(len.to_string().len() + 3);
        assert_eq!(header, format!("${len}\r\n").as_bytes());
        assert_eq!(rest, [payload.as_slice(), b"\r\n"].concat());
    }
}

#[test]
fn integers_of_every_length_are_written_in_full() {
    let mut rng = Rng::new(3);
    let mut values = vec![0, 9, 10, 99, 100, i64::MAX, i64::MIN, -1, -9, -10];
    values.extend((0..2_000).map(|_| rng.next() as i64 >> rng.below(64)));
    for value in values {
        let mut out = b"before".to_vec();
        Encoder::new(&mut out, Proto::Resp2).int(value);
        assert_eq!(String::from_utf8_lossy(&out), format!("before:{value}\r\n"));
    }
}

#[test]
fn an_error_stays_one_line_whatever_a_client_put_into_it() {
    let text = b"ERR unknown command 'a\r\n+OK\r\n'";
    let want = r"-ERR unknown command 'a  +OK  '\r\n";
    check(|to| to.error(text), want, want);
}

#[test]
fn rewinding_forgets_half_a_reply() {
    let mut out = b"+OK\r\n".to_vec();
    let mut to = Encoder::new(&mut out, Proto::Resp3);
    let mark = to.mark();
    to.array(2);
    to.int(1);
    to.rewind(mark);
    to.error(b"ERR late");
    assert_eq!(out, b"+OK\r\n-ERR late\r\n");
}

#[test]
fn nesting_has_a_limit_which_both_readers_keep() {
    for (depth, fits) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false)] {
        let mut input = b"*1\r\n".repeat(depth);
        input.extend_from_slice(b":1\r\n");
        assert_eq!(decode(&input).is_ok(), fits, "{depth} deep");
        let framed = Framer::new().advance(&input);
        let want = if fits { Ok(Some(input.len())) } else { Err(DecodeError::TooDeep) };
        assert_eq!(framed, want, "{depth} deep");
    }
}

#[test]
fn declared_lengths_reserve_nothing() {
    // Sixty levels which each declare more elements than there is memory.
    let input = b"*1000000000000000\r\n".repeat(60);
    assert_eq!(decode(&input), Ok(None));
    assert_eq!(Framer::new().advance(&input), Ok(None));
    assert_eq!(decode(b"$9223372036854775807\r\nx"), Ok(None));
    let pairs = b"|9223372036854775807\r\n".repeat(3);
    assert_eq!(Framer::new().advance(&pairs), Ok(None));
}

#[test]
fn random_replies_survive_the_wire_in_any_pieces() {
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        let value = random_value(&mut rng, 0);
        let mut wire = Vec::new();
        encode(&mut Encoder::new(&mut wire, Proto::Resp3), &value);
        assert_eq!(decode(&wire), Ok(Some((value, wire.len()))), "seed {seed}");

        let (mut framer, mut here) = (Framer::new(), 0);
        while here < wire.len() {
            assert_eq!(decode(&wire[..here]), Ok(None), "seed {seed}, {here} bytes");
            assert_eq!(framer.advance(&wire[..here]), Ok(None), "seed {seed}, {here} bytes");
            here += 1 + rng.below(9) as usize;
        }
        let more = [wire.as_slice(), b"+OK\r\n"].concat();
        assert_eq!(framer.advance(&more), Ok(Some(wire.len())), "seed {seed}");
        assert_eq!(framer.advance(b"+OK\r\n"), Ok(Some(5)), "seed {seed}: ready for the next");
    }
}

fn random_value(rng: &mut Rng, depth: usize) -> Value {
    let kinds = if depth < 4 { 14 } else { 9 };
    let bytes = |rng: &mut Rng| -> Vec<u8> {
        (0..rng.below(12)).map(|_| *rng.pick(b"ab\r\n\0\xff:$")).collect()
    };
    let line =
        |rng: &mut Rng| -> Vec<u8> { (0..rng.below(9)).map(|_| *rng.pick(b"ab ")).collect() };
    match rng.below(kinds) {
        0 => Value::Simple(line(rng)),
        1 => Value::Error(line(rng)),
        2 => Value::Int(rng.next().cast_signed()),
        3 => Value::Bulk(bytes(rng)),
        4 => Value::Null,
        5 => Value::Double(rng.below(1_000_000) as f64 / 64.0),
        6 => Value::Boolean(rng.one_in(2)),
        7 => Value::BigNumber(rng.next().to_string().into_bytes()),
        8 => Value::Verbatim { format: *b"txt", text: bytes(rng) },
        9 => Value::Array(random_values(rng, depth)),
        10 => Value::Set(random_values(rng, depth)),
        11 => Value::Push(random_values(rng, depth)),
        12 => Value::Map(random_pairs(rng, depth)),
        _ => Value::Attribute {
            attributes: random_pairs(rng, depth),
            value: Box::new(random_value(rng, depth + 1)),
        },
    }
}

fn random_values(rng: &mut Rng, depth: usize) -> Vec<Value> {
    (0..rng.below(5)).map(|_| random_value(rng, depth + 1)).collect()
}

fn random_pairs(rng: &mut Rng, depth: usize) -> Vec<(Value, Value)> {
    let mut pair = || (random_value(rng, depth + 1), random_value(rng, depth + 1));
    (0..3).map(|_| pair()).collect()
}

fn encode(to: &mut Encoder<'_>, value: &Value) {
    let line = |text: &[u8]| String::from_utf8(text.to_vec()).expect("ASCII");
    match value {
        Value::Simple(text) => to.simple(&line(text)),
        Value::Error(text) => to.error(text),
        Value::Int(value) => to.int(*value),
        Value::Bulk(bytes) => to.bulk(bytes),
        Value::Null => to.null(),
        Value::Double(value) => to.double(*value),
        Value::Boolean(value) => to.boolean(*value),
        Value::BigNumber(digits) => to.big_number(&line(digits)),
        Value::Verbatim { format, text } => to.verbatim(format, text),
        Value::Array(values) => {
            to.array(values.len());
            values.iter().for_each(|value| encode(to, value));
        }
        Value::Set(values) => {
            to.set(values.len());
            values.iter().for_each(|value| encode(to, value));
        }
        Value::Push(values) => {
            to.push(values.len());
            values.iter().for_each(|value| encode(to, value));
        }
        Value::Map(pairs) => {
            to.map(pairs.len());
            encode_pairs(to, pairs);
        }
        Value::Attribute { attributes, value } => {
            assert!(to.attribute(attributes.len()), "RESP3 has attributes");
            encode_pairs(to, attributes);
            encode(to, value);
        }
    }
}

fn encode_pairs(to: &mut Encoder<'_>, pairs: &[(Value, Value)]) {
    for (key, value) in pairs {
        encode(to, key);
        encode(to, value);
    }
}
