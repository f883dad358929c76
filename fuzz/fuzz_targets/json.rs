//! Any text a client may send as JSON: reading it must not panic, and what is read must be requests
//! that RESP can carry and JSON can say again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stoa_command::Spec;
use stoa_json::{Forms, Request, read, write_value};
use stoa_resp::Value;

/// Every shape that an argument may have.
const SYNTAX: &[(&str, &str)] = &[
    ("set", "key value [condition: NX | XX] [GET] [expiration: EX seconds | PX milliseconds | KEEPTTL]"),
    ("mset", "(data: key value)..."),
    ("zunion", "numkeys:integer key... [WEIGHTS weight:double...] [AGGREGATE (SUM | MIN | MAX)]"),
    ("hexpire", "key seconds (fields: FIELDS numfields:integer field...)"),
    ("sort", "key [LIMIT offset count] [GET get-pattern:pattern]... [sorting: ALPHA]"),
    ("xread", "[COUNT count:integer] STREAMS (streams: key... id...)"),
    (
        "bitfield",
        "key [operation: GET encoding offset | (write: [OVERFLOW (WRAP | SAT | FAIL)] \
         (SET encoding offset value:integer | INCRBY encoding offset increment:integer))]...",
    ),
    ("config|get", "parameter..."),
];

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let spec = |&(name, syntax): &(&'static str, &'static str)| Spec { name, syntax, ..Spec::DEFAULT };
    let specs: Vec<Spec> = SYNTAX.iter().map(spec).collect();
    Forms::of(specs.iter())
});

fuzz_target!(|text: &[u8]| {
    let Ok(request) = read(text, &FORMS) else { return };
    for argv in request.commands() {
        assert!(!argv.is_empty(), "a request without a name");
        // The same words as a list come to the same request.
        let words = argv.iter().map(|word| Value::Bulk(word.clone())).collect();
        let mut again = Vec::new();
        write_value(&Value::Array(words), &mut again);
        assert_eq!(read(&again, &FORMS), Ok(Request::One(argv.clone())));
    }
});
