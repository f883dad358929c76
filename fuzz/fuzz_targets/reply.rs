//! Any bytes a server may answer: the decoder must not panic, and the framer must agree with it on
//! where a reply ends, whole and byte by byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa_resp::{Framer, decode};

fuzz_target!(|data: &[u8]| {
    let framed = Framer::new().advance(data);
    match decode(data) {
        Ok(Some((_, len))) => {
            assert_eq!(framed, Ok(Some(len)));
            let mut framer = Framer::new();
            for end in 0..len {
                assert_eq!(framer.advance(&data[..end]), Ok(None), "{end} of {len} bytes");
            }
            assert_eq!(framer.advance(data), Ok(Some(len)));
        }
        Ok(None) => assert_eq!(framed, Ok(None)),
        // The framer looks at lengths only, so it may not notice a bad number.
        Err(_) => {}
    }
});
