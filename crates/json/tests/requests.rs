//! What texts ask for, and what they are told when they ask for nothing.

use stoa_command::Spec;
use stoa_json::{Forms, Request, read};

/// Lines of the grammar with everything in them that a member may stand for.
const SPECS: &[(&str, &str)] = &[
    (
        "set",
        "key value [condition: NX | XX] [GET] [expiration: EX seconds | PX milliseconds | KEEPTTL]",
    ),
    ("mset", "(data: key value)..."),
    ("del", "key..."),
    ("zunion", "numkeys:integer key... [WEIGHTS weight:double...] [AGGREGATE (SUM | MIN | MAX)]"),
    ("hexpire", "key seconds (fields: FIELDS numfields:integer field...)"),
    ("sort", "key [LIMIT offset count] [GET get-pattern:pattern]... [sorting: ALPHA]"),
    ("xread", "[COUNT count:integer] STREAMS (streams: key... id...)"),
    (
        "bitfield",
        "key [operation: GET encoding offset | (write: [OVERFLOW (WRAP | SAT | FAIL)] \
         (SET encoding offset value:integer | INCRBY encoding offset increment:integer))]...",
    ),
    ("bitcount", "key [range: start:integer end:integer [unit: BYTE | BIT]]"),
    ("lmove", "source destination (wherefrom: LEFT | RIGHT) (whereto: LEFT | RIGHT)"),
    (
        "geosearch",
        "key (by: BYRADIUS radius:double (unit: M | KM) | BYBOX width:double height:double (unit: M | KM)) \
         [count-block: COUNT count:integer [ANY]] [store: STORE key | STOREDIST key]",
    ),
    ("config|get", "parameter..."),
    ("ping", "[message]"),
    ("fcall", "function numkeys:integer [key...] [arg...]"),
];

fn forms() -> Forms {
    let specs: Vec<Spec> =
        SPECS.iter().map(|&(name, syntax)| Spec { name, syntax, ..Spec::DEFAULT }).collect();
    Forms::of(specs.iter())
}

fn shown(argv: &[Vec<u8>]) -> String {
    let words: Vec<_> = argv.iter().map(|word| word.escape_ascii().to_string()).collect();
    words.join(" ")
}

/// What one command comes to, in words with spaces between.
fn one(text: &str) -> String {
    match read(text.as_bytes(), &forms()) {
        Ok(Request::One(argv)) => shown(&argv),
        Ok(Request::Many(_)) => panic!("{text} is one command"),
        Err(refusal) => refusal.to_string(),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (text, want) in cases {
        assert_eq!(one(text), *want, "{text}");
    }
}

#[test]
fn a_list_is_the_words_as_they_are() {
    check(&[
        (r##"["SET", "k", "v", "EX", "10"]"##, "SET k v EX 10"),
        (r##"["SET", "k", 1.50]"##, "SET k 1.50"),
        (r##"["SET", "k", 9007199254740993]"##, "SET k 9007199254740993"),
        (r##"["SET", "k", "é"]"##, r"SET k \xc3\xa9"),
        (r##"["SET", "k", {"$b64": "/w=="}]"##, r"SET k \xff"),
        (r##"[{"$b64": "R0VU"}, "k"]"##, "GET k"),
        (r##"["INCRBY", "k", {"$int": "9223372036854775807"}]"##, "INCRBY k 9223372036854775807"),
        (r##"["ZADD", "k", {"$double": "-inf"}, "m"]"##, "ZADD k -inf m"),
    ]);
}

#[test]
fn members_are_put_where_the_syntax_has_them() {
    check(&[
        (r##"{"cmd": "SET", "key": "k", "value": "v", "ttl": 10}"##, "SET k v EX 10"),
        (r##"{"value": "v", "ex": "10", "key": "k", "cmd": "set"}"##, "set k v EX 10"),
        (
            r##"{"cmd": "SET", "key": "k", "value": "v", "ttl_ms": 10, "nx": true}"##,
            "SET k v NX PX 10",
        ),
        (
            r##"{"cmd": "SET", "key": "k", "value": "v", "condition": "xx", "get": true}"##,
            "SET k v XX GET",
        ),
        (r##"{"cmd": "SET", "key": "k", "value": "v", "nx": false, "ttl": null}"##, "SET k v"),
        (r##"{"cmd": "SET", "key": "k", "value": "v", "expiration": {"px": 5}}"##, "SET k v PX 5"),
        (
            r##"{"cmd": "SET", "key": "k", "value": "v", "expiration": "KEEPTTL"}"##,
            "SET k v KEEPTTL",
        ),
        (r##"{"cmd": "MSET", "data": {"a": 1, "b": "2"}}"##, "MSET a 1 b 2"),
        (r##"{"cmd": "MSET", "data": [["a", 1], {"value": 2, "key": "b"}]}"##, "MSET a 1 b 2"),
        (r##"{"cmd": "MSET", "key": "a", "value": "1"}"##, "MSET a 1"),
        (r##"{"cmd": "DEL", "key": ["a", "b"]}"##, "DEL a b"),
        (r##"{"cmd": "DEL", "keys": ["a", "b"]}"##, "DEL a b"),
        (r##"{"cmd": "DEL", "key": "a"}"##, "DEL a"),
        (
            r##"{"cmd": "ZUNION", "keys": ["a", "b"], "weights": [1, 2.0], "aggregate": "min"}"##,
            "ZUNION 2 a b WEIGHTS 1 2.0 AGGREGATE MIN",
        ),
        (r##"{"cmd": "ZUNION", "numkeys": 1, "key": ["a", "b"]}"##, "ZUNION 1 a b"),
        (
            r##"{"cmd": "HEXPIRE", "key": "k", "ttl": 5, "fields": ["a", "b"]}"##,
            "HEXPIRE k 5 FIELDS 2 a b",
        ),
        (
            r##"{"cmd": "SORT", "key": "k", "limit": [0, 5], "get": ["#", "x*"], "alpha": true}"##,
            "SORT k LIMIT 0 5 GET # GET x* ALPHA",
        ),
        (r##"{"cmd": "SORT", "key": "k", "offset": 1, "count": 2}"##, "SORT k LIMIT 1 2"),
        (
            r##"{"cmd": "XREAD", "count": 2, "key": ["a", "b"], "id": ["0", "$"]}"##,
            "XREAD COUNT 2 STREAMS a b 0 $",
        ),
        (
            r##"{"cmd": "BITFIELD", "key": "k", "operation": [{"get": ["u8", 0]},
                {"overflow": "SAT", "incrby": ["u8", "#1", 5]}, {"set": {"encoding": "i4", "offset": 2, "value": 1}}]}"##,
            "BITFIELD k GET u8 0 OVERFLOW SAT INCRBY u8 #1 5 SET i4 2 1",
        ),
        (
            r##"{"cmd": "BITCOUNT", "key": "k", "start": 0, "end": -1, "unit": "BIT"}"##,
            "BITCOUNT k 0 -1 BIT",
        ),
        (
            r##"{"cmd": "LMOVE", "source": "a", "destination": "b", "whereto": "LEFT", "wherefrom": "RIGHT"}"##,
            "LMOVE a b RIGHT LEFT",
        ),
        (
            r##"{"cmd": "GEOSEARCH", "key": "k", "radius": 5, "unit": "km", "count": 3, "any": true}"##,
            "GEOSEARCH k BYRADIUS 5 KM COUNT 3 ANY",
        ),
        (
            r##"{"cmd": "GEOSEARCH", "key": "k", "bybox": [5, 6, "M"], "storedist": "d"}"##,
            "GEOSEARCH k BYBOX 5 6 M STOREDIST d",
        ),
        (
            r##"{"cmd": "BITFIELD", "key": "k", "operation": [{"encoding": "u8", "offset": 0, "increment": 2}]}"##,
            "BITFIELD k INCRBY u8 0 2",
        ),
        (r##"{"cmd": "config get", "parameter": ["a", "b"]}"##, "config get a b"),
        (r##"{"cmd": "FCALL", "function": "f", "arg": ["x"]}"##, "FCALL f 0 x"),
        (r##"{"cmd": "FCALL", "function": "f", "key": [], "args": ["x", "y"]}"##, "FCALL f 0 x y"),
        (r##"{"cmd": "PING"}"##, "PING"),
        (r##"{"cmd": "SET", "args": ["k", "v"]}"##, "SET k v"),
        (r##"{"cmd": "nosuch"}"##, "nosuch"),
        (r##"{"cmd": "nosuch", "args": ["k"]}"##, "nosuch k"),
    ]);
}

#[test]
fn what_is_not_understood_whole_is_refused_with_what_would_be() {
    let contains = |text: &str, want: &str| {
        let got = one(text);
        assert!(got.starts_with("ERR ") && got.contains(want), "{text}: {got}");
    };
    contains(r##"{"cmd": "SET", "key": "k"}"##, "'value' is missing");
    contains(r##"{"cmd": "SET", "key": "k", "value": "v", "tll": 1}"##, "set takes no 'tll'");
    contains(
        r##"{"cmd": "SET", "key": "k", "value": "v", "ex": 1, "px": 1}"##,
        "give one of EX or PX",
    );
    contains(
        r##"{"cmd": "SET", "key": "k", "value": true}"##,
        "value must be a string or a number",
    );
    contains(r##"{"cmd": "SET", "key": ["k"], "value": "v"}"##, "key must be a string or a number");
    contains(r##"{"cmd": "SET", "key": {"$b64": "?"}, "value": "v"}"##, "base64");
    contains(r##"{"cmd": "SET", "key": {"$x": "?"}, "value": "v"}"##, "$b64");
    contains(r##"{"cmd": "SET", "key": "a", "key": "b", "value": "v"}"##, "there twice");
    contains(
        r##"{"cmd": "SET", "key": "k", "value": "v", "expiration": {"ex": 1, "x": 2}}"##,
        "'x'",
    );
    contains(r##"{"cmd": "SET k", "value": "v"}"##, "unknown command");
    contains(r##"{"cmd": "SET k v"}"##, "unknown command");
    contains(r##"{"cmd": "nosuch", "key": "k"}"##, "unknown command");
    contains(r##"{"cmd": "SET", "args": ["k"], "value": "v"}"##, "'value'");
    contains(r##"{"cmd": "MSET", "data": ["a", "1"]}"##, "'data' takes an object or a list");
    contains(r##"{"cmd": "MSET", "data": [["a", "1", "2"]]}"##, "at most 2");
    contains(r##"{"key": "k"}"##, "a request is");
    contains(r##"{"cmd": "  "}"##, "a request is");
    for text in ["", "1", "null", "\"PING\"", "[]", "[[]]", "[1, [\"PING\"]]", "{}"] {
        let got = read(text.as_bytes(), &forms());
        assert!(got.is_err(), "{text}: {got:?}");
    }
}

#[test]
fn a_list_of_commands_is_a_pipeline_of_either_form() {
    let text = br##"[["SET", "a", "1"], {"cmd": "PING"}, ["GET", "a"]]"##;
    let Ok(Request::Many(all)) = read(text, &forms()) else { panic!("a pipeline") };
    assert_eq!(
        all.iter().map(|argv| shown(argv)).collect::<Vec<_>>(),
        ["SET a 1", "PING", "GET a"]
    );
    let text = br##"[["SET", "a", "1"], "PING"]"##;
    assert!(read(text, &forms()).is_err(), "nothing of a bad pipeline is taken");
}

#[test]
fn hostile_texts_are_refused_and_cost_no_stack() {
    let deep = |open: &str| open.repeat(1_000_000);
    for text in [
        deep("["),
        deep("{\"cmd\":"),
        format!("{}{}", deep("["), deep("]")),
        format!("[\"SET\",\"k\",{}1{}]", deep("["), deep("]")),
        format!("{{\"cmd\":\"SET\",\"key\":{}1{}}}", deep("["), deep("]")),
        format!("{{\"cmd\":\"SET\",\"key\":{}1{}}}", deep("{\"a\":"), deep("}")),
        format!("{{\"cmd\":\"MSET\",\"data\":{}{}}}", deep("["), deep("]")),
        format!(
            "{{{}\"cmd\":\"SET\"}}",
            (0..100).map(|n| format!("\"m{n}\":1,")).collect::<String>()
        ),
        "[\"SET\",\"k\",\"\u{0}\"]".to_owned(),
        "[\"SET\",\"\\ud800\"]".to_owned(),
        "[\"SET\"] x".to_owned(),
        "[\"SET\",]".to_owned(),
        "[\"SET\",01]".to_owned(),
        "[\"SET\",NaN]".to_owned(),
    ] {
        let got = read(text.as_bytes(), &forms());
        assert!(got.is_err(), "{}: {got:?}", &text[..text.len().min(60)]);
    }
    for bytes in [&b"[\"\xff\"]"[..], b"\xef\xbb\xbf[\"PING\"]", b"\x80", b"[\"PING\"\x00]"] {
        assert!(read(bytes, &forms()).is_err(), "{bytes:?}");
    }
}
