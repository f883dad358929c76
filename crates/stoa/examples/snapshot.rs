//! Takes over what a server saved: opens a directory with a `dump.rdb`, says what is in it, and saves it
//! again as Redis 7.4 would.
//!
//! ```sh
//! cargo run -p stoa --example snapshot -- DIR
//! ```
//!
//! Prints the digest of all keys, as DEBUG DIGEST of any server does, and how many there are in each
//! database. The conformance suite compares the digest with that of the server that wrote the file, and
//! has the file that this writes loaded there again.

use std::process::ExitCode;

use stoa::{Db, Error, Reply};

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("usage: snapshot DIR, in which there is a dump.rdb");
        return ExitCode::from(2);
    };
    match take_over(dir.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn take_over(dir: &std::path::Path) -> Result<(), Error> {
    let builder = Db::builder().shards(3).directive("enable-debug-command", "yes");
    let db = builder.open(dir)?;
    match db.execute(&[b"DEBUG", b"DIGEST"])? {
        Reply::Simple(digest) => println!("digest {digest}"),
        other => println!("digest {other:?}"),
    }
    for index in 0..16 {
        db.select(index)?;
        if let Reply::Int(keys @ 1..) = db.execute(&[b"DBSIZE"])? {
            println!("db{index} {keys}");
        }
    }
    db.save()
}
