//! DEBUG PROTOCOL: a value of each type, for those who write client libraries.

use stoa_command::ReplyError;
use stoa_engine::{Proto, Reply};

const UNKNOWN: ReplyError = ReplyError::Text(
    "ERR Wrong protocol type name. Please use one of the following: \
     string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
const NO_PUSHES: ReplyError = ReplyError::Text("ERR RESP2 is not supported by this command");

/// Answers the example of the type called `name`.
pub(super) fn example(name: &[u8], proto: Proto, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let numbers = |reply: &mut dyn Reply| (0..3).for_each(|number| reply.int(number));
    match name.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12_345),
        b"double" => reply.double(f64::from(3_141) / 1_000.0),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            numbers(reply);
        }
        b"set" => {
            reply.set(3);
            numbers(reply);
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.int(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.attribute(1) {
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.int(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" if proto == Proto::Resp2 => return Err(NO_PUSHES),
        // What a command has for its own client out of band comes behind its reply.
        b"push" => {
            reply.bulk(b"Some real reply following the push reply");
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => return Err(UNKNOWN),
    }
    Ok(())
}
