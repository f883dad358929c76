//! Strings: bytes, and numbers that print to them.

mod append;
mod expiration;
mod get;
mod getdel;
mod getex;
mod getset;
mod incr;
mod incrbyfloat;
mod lcs;
mod mget;
mod mset;
mod range;
mod set;
mod setex;
mod strlen;

use stoa_command::ReplyError;
use stoa_engine::{Entry, entry};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<append::Append>(),
    entry::<get::Get>(),
    entry::<getdel::GetDel>(),
    entry::<getex::GetEx>(),
    entry::<getset::GetSet>(),
    entry::<incr::Decr>(),
    entry::<incr::DecrBy>(),
    entry::<incr::Incr>(),
    entry::<incr::IncrBy>(),
    entry::<incrbyfloat::IncrByFloat>(),
    entry::<lcs::Lcs>(),
    entry::<mget::MGet>(),
    entry::<mset::MSet>(),
    entry::<mset::MSetNx>(),
    entry::<range::GetRange>(),
    entry::<range::SetRange>(),
    entry::<range::SubStr>(),
    entry::<set::Set>(),
    entry::<setex::PSetEx>(),
    entry::<setex::SetEx>(),
    entry::<setex::SetNx>(),
    entry::<strlen::StrLen>(),
];

/// The length of a string that reaches `more` bytes beyond `len`, if it may be so long.
fn check_len(len: usize, more: usize, len_max: u64) -> Result<usize, ReplyError> {
    len.checked_add(more).filter(|len| *len as u64 <= len_max).ok_or(ReplyError::StringTooLong)
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    #[test]
    fn writes_leave_the_encodings_of_the_reference() {
        let long = "x".repeat(45);
        let cases: [(&[&str], &str); 16] = [
            (&["SET k 12"], "int"),
            (&["SET k 012"], "embstr"),
            (&["SET k abc"], "embstr"),
            (&["SETNX k 9223372036854775807"], "int"),
            (&["SETNX k 9223372036854775808"], "embstr"),
            (&["SETEX k 10 12"], "int"),
            (&["GETSET k 12"], "int"),
            (&["MSET k 12"], "int"),
            (&["APPEND k 12"], "int"),
            (&["APPEND k abc"], "embstr"),
            (&["SET k 1", "APPEND k 2"], "raw"),
            (&["SET k abc", "APPEND k \"\""], "raw"),
            (&["SETRANGE k 0 12"], "raw"),
            (&["SETRANGE k 0 12", "INCR k"], "int"),
            (&["SET k 12", "INCRBYFLOAT k 1"], "embstr"),
            (&["SET k 12", "INCRBYFLOAT k 1", "INCR k"], "int"),
        ];
        let check = |lines: &[&str], want: &str| {
            let mut bench = Bench::new();
            for line in lines {
                bench.run(line);
            }
            let now = bench.now;
            let key = bench.keyspace.seed().key(b"k");
            let mut db = bench.keyspace.db(stoa_stdx::DbIndex(0), now, true);
            assert_eq!(db.peek(&key).map(|entry| entry.encoding()), Some(want), "{lines:?}");
        };
        for (lines, want) in cases {
            check(lines, want);
        }
        check(&[&format!("SET k {long}")], "raw");
        check(&[&format!("SET k {}", &long[1..])], "embstr");
    }
}
