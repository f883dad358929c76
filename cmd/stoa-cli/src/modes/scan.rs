//! Walks over the keyspace with SCAN: `--scan` prints the keys, others look at them.

use std::process::ExitCode;

use stoa_client::Value;

use crate::format::Output;
use crate::quote::quote;
use crate::session::{Failure, Outcome, Session, print};

/// Prints every key, quoted for people.
pub(crate) fn run(session: &mut Session) -> Outcome {
    let mut walk = Walk::default();
    while let Some(keys) = walk.next(session)? {
        let mut out = Vec::new();
        for key in keys {
            match session.options.output {
                Output::Human => quote(&mut out, &key),
                Output::Raw | Output::Csv | Output::Json | Output::QuotedJson => {
                    out.extend_from_slice(&key);
                }
            }
            out.push(b'\n');
        }
        print(&out);
        std::thread::sleep(session.options.interval);
    }
    Ok(ExitCode::SUCCESS)
}

/// A walk under way.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Where SCAN goes on; `None` before the first call.
    cursor: Option<Vec<u8>>,
}

impl Walk {
    /// The next keys, perhaps none; `None` when the walk is over.
    pub(crate) fn next(&mut self, session: &mut Session) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        let cursor = match self.cursor.take() {
            None => b"0".to_vec(),
            Some(cursor) if cursor == b"0" => return Ok(None),
            Some(cursor) => cursor,
        };
        let mut args = vec![b"SCAN".to_vec(), cursor];
        if let Some(pattern) = &session.options.pattern {
            args.extend([b"MATCH".to_vec(), pattern.clone()]);
        }
        if let Some(count) = session.options.count {
            args.extend([b"COUNT".to_vec(), count.to_string().into_bytes()]);
        }
        let Value::Array(parts) = session.must(&args)? else { return Err(not_a_scan()) };
        let Ok([Value::Bulk(cursor), Value::Array(keys)]) = <[Value; 2]>::try_from(parts) else {
            return Err(not_a_scan());
        };
        self.cursor = Some(cursor);
        let key = |value| if let Value::Bulk(key) = value { Ok(key) } else { Err(not_a_scan()) };
        keys.into_iter().map(key).collect::<Result<_, _>>().map(Some)
    }
}

fn not_a_scan() -> Failure {
    Failure("Non ARRAY response from SCAN!".to_owned())
}
