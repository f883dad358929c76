//! DEBUG PROTOCOL: a value of each type, for those who write client libraries.

use stoa_command::ReplyError;
use stoa_engine::Reply;

const UNKNOWN: ReplyError = ReplyError::Text(
    "ERR Wrong protocol type name. Please use one of the following: \
     string|integer|double|null|array|set|map|verbatim|true|false",
);

/// Answers the example of the type called `name`.
pub(super) fn example(name: &[u8], reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let numbers = |reply: &mut dyn Reply| (0..3).for_each(|number| reply.int(number));
    match name.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12_345),
        b"double" => reply.double(f64::from(3_141) / 1_000.0),
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
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => return Err(UNKNOWN),
    }
    Ok(())
}
