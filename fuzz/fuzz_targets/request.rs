//! Any bytes a client may send: the parser must not panic, and however the bytes are cut into
//! reads, the same requests must come out.
//!
//! The first byte says how the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa_resp::{Limits, Parsed, Parser, ProtocolError};

fuzz_target!(|data: &[u8]| {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = read_all(stream, stream.len().max(1), cut);
    for piece in [1, 1 + usize::from(cut & 0x3f)] {
        assert_eq!(read_all(stream, piece, cut), whole, "in pieces of {piece}");
    }
});

type Requests = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

fn read_all(stream: &[u8], piece: usize, cut: u8) -> Requests {
    // Small limits, so that the fuzzer meets them.
    let limits = Limits { inline_max: 64, unauthenticated: cut & 0x80 != 0, ..Limits::default() };
    let (mut parser, mut requests, mut buf) = (Parser::new(), Vec::new(), Vec::new());
    for read in stream.chunks(piece) {
        buf.extend_from_slice(read);
        let (mut at, mut args) = (0, Vec::new());
        loop {
            args.clear();
            match parser.parse(&buf, at, &limits, &mut args) {
                Ok(Parsed::Request { argc, consumed }) => {
                    assert_eq!(args.len(), argc as usize);
                    assert!(argc > 0 && consumed > 0);
                    let args = args.iter().map(|&arg| parser.arg(&buf, arg).to_vec());
                    requests.push(args.collect());
                    at += consumed;
                }
                Ok(Parsed::Empty { consumed }) => at += consumed,
                Ok(Parsed::Incomplete { need }) => {
                    assert!(need > buf.len() - at && args.is_empty());
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
        buf.drain(..at);
    }
    (requests, None)
}
