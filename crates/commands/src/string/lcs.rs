//! LCS: the longest common subsequence of two strings, its length, or where its runs lie.
//!
//! The usual table of lengths is kept a row at a time; what the way back needs of it is one bit a
//! cell, so two strings of 10,000 bytes take 12 MiB for the text and nothing for the length alone.
//! The limit is still that of the whole table in 32-bit words, because clients know it.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec, parse_int,
};
use stoa_engine::{Command, Ctx, Reply};
use stoa_keyspace::EntryRef;

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`
pub struct Lcs;

/// The arguments of LCS.
pub struct LcsArgs<'a> {
    keys: [&'a [u8]; 2],
    /// Judged after the types of the keys.
    wanted: Result<Wanted, ReplyError>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Text,
    Len,
    Runs { len_min: u64, with_len: bool },
}

const NO_STRINGS: ReplyError =
    ReplyError::Text("ERR The specified keys must contain string values");
const LEN_OR_RUNS: ReplyError =
    ReplyError::Text("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LONG: ReplyError = ReplyError::Text("ERR String too long for LCS");
const TOO_LARGE: ReplyError = ReplyError::Text(
    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
);

/// Cells of the table are counted in 32 bits.
const LEN_MAX: usize = u32::MAX as usize - 2;

impl Command for Lcs {
    const SPEC: Spec = Spec {
        name: "lcs",
        summary: "Finds the longest common subsequence of two strings.",
        since: "7.0.0",
        group: Group::String,
        complexity: "O(N*M), the lengths of the two strings.",
        syntax: "key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
        arity: Arity(-3),
        flags: Flags::READONLY,
        categories: &[Category::String],
        keys: &[KeySpec::range(1, 1, 1, KeyFlags::RO.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = LcsArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<LcsArgs<'a>, ReplyError> {
        Ok(LcsArgs { keys: [args.bytes()?, args.bytes()?], wanted: parse_wanted(args) })
    }

    fn execute(
        args: LcsArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let room = ctx.node.config.proto_max_bulk_len;
        let keys = args.keys.map(|key| ctx.key(key));
        let mut db = ctx.db();
        // Both at once are more than one borrow of the database, so the first is copied.
        let first = with_text(db.get(&keys[0]), <[u8]>::to_vec)?;
        with_text(db.get(&keys[1]), |second| answer(&first, second, args.wanted?, room, reply))?
    }
}

fn with_text<R>(
    entry: Option<EntryRef<'_>>,
    read: impl FnOnce(&[u8]) -> R,
) -> Result<R, ReplyError> {
    match entry {
        None => Ok(read(b"")),
        Some(entry) => Ok(entry.string().or(Err(NO_STRINGS))?.with(read)),
    }
}

fn parse_wanted(args: &mut Args<'_>) -> Result<Wanted, ReplyError> {
    let (mut len, mut runs, mut with_len, mut len_min) = (false, false, false, 0);
    while args.left() > 0 {
        if args.word("IDX") {
            runs = true;
        } else if args.word("LEN") {
            len = true;
        } else if args.word("WITHMATCHLEN") {
            with_len = true;
        } else if args.word("MINMATCHLEN") {
            let value = parse_int(args.bytes()?).ok_or(ReplyError::NotInteger)?;
            len_min = value.max(0) as u64;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    match (len, runs) {
        (true, true) => Err(LEN_OR_RUNS),
        (true, false) => Ok(Wanted::Len),
        (false, true) => Ok(Wanted::Runs { len_min, with_len }),
        (false, false) => Ok(Wanted::Text),
    }
}

fn answer(
    a: &[u8],
    b: &[u8],
    wanted: Wanted,
    room: u64,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    if a.len() > LEN_MAX || b.len() > LEN_MAX {
        return Err(TOO_LONG);
    }
    if (a.len() as u128 + 1) * (b.len() as u128 + 1) * 4 > u128::from(room) {
        return Err(TOO_LARGE);
    }
    match wanted {
        Wanted::Len => reply.int(fill(a, b, |_, _| {}).into()),
        Wanted::Text => {
            let mut text = Vec::new();
            walk_back(a, b, &Table::of(a, b), &mut |i, _| text.push(a[i]));
            text.reverse();
            reply.bulk(&text);
        }
        Wanted::Runs { len_min, with_len } => {
            let table = Table::of(a, b);
            let mut runs = runs(a, b, &table);
            runs.retain(|run| run.len as u64 >= len_min);
            reply.map(2);
            reply.bulk(b"matches");
            reply.array(runs.len());
            for run in &runs {
                reply.array(if with_len { 3 } else { 2 });
                for start in [run.a, run.b] {
                    reply.array(2);
                    reply.int(start as i64);
                    reply.int((start + run.len - 1) as i64);
                }
                if with_len {
                    reply.int(run.len as i64);
                }
            }
            reply.bulk(b"len");
            reply.int(table.len.into());
        }
    }
    Ok(())
}

/// Computes the length; `up(i, j)` is called for each cell whose better neighbour is the one above.
fn fill(a: &[u8], b: &[u8], mut up: impl FnMut(usize, usize)) -> u32 {
    let mut row = vec![0_u32; b.len() + 1];
    for (i, byte) in a.iter().enumerate() {
        let (mut left, mut corner) = (0, 0);
        for (j, other) in b.iter().enumerate() {
            let above = row[j + 1];
            left = if byte == other {
                corner + 1
            } else if above > left {
                up(i, j);
                above
            } else {
                left
            };
            corner = above;
            row[j + 1] = left;
        }
    }
    row[b.len()]
}

/// The length, and the way back.
struct Table {
    len: u32,
    up: Vec<u64>,
    width: usize,
}

impl Table {
    fn of(a: &[u8], b: &[u8]) -> Self {
        let width = b.len();
        let mut up = vec![0; (a.len() * width).div_ceil(64)];
        let len = fill(a, b, |i, j| {
            let cell = i * width + j;
            up[cell / 64] |= 1 << (cell % 64);
        });
        Self { len, up, width }
    }

    fn goes_up(&self, i: usize, j: usize) -> bool {
        let cell = i * self.width + j;
        self.up[cell / 64] >> (cell % 64) & 1 == 1
    }
}

/// Calls `each` for the pairs of positions that match, last to first.
fn walk_back(a: &[u8], b: &[u8], table: &Table, each: &mut dyn FnMut(usize, usize)) {
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            each(i, j);
        } else if table.goes_up(i - 1, j - 1) {
            i -= 1;
        } else {
            j -= 1;
        }
    }
}

/// Bytes that match side by side: where, in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

/// The runs, last to first.
fn runs(a: &[u8], b: &[u8], table: &Table) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    walk_back(a, b, table, &mut |i, j| match runs.last_mut() {
        Some(run) if run.a == i + 1 && run.b == j + 1 => {
            *run = Run { a: i, b: j, len: run.len + 1 };
        }
        Some(_) | None => runs.push(Run { a: i, b: j, len: 1 }),
    });
    runs
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{Table, fill, runs, walk_back};

    /// The longest common subsequence by trying everything.
    fn longest(a: &[u8], b: &[u8]) -> u32 {
        match (a, b) {
            ([], _) | (_, []) => 0,
            ([x, a @ ..], [y, b @ ..]) if x == y => 1 + longest(a, b),
            ([_, short_a @ ..], [_, short_b @ ..]) => longest(short_a, b).max(longest(a, short_b)),
        }
    }

    #[test]
    fn text_runs_and_length_agree_with_trying_everything() {
        let seed = 0x1c5;
        let mut rng = Rng::new(seed);
        for step in 0..500 {
            let mut word =
                || -> Vec<u8> { (0..rng.below(9)).map(|_| b'a' + rng.below(3) as u8).collect() };
            let (a, b) = (word(), word());
            let table = Table::of(&a, &b);
            let mut text = Vec::new();
            walk_back(&a, &b, &table, &mut |i, _| text.push(a[i]));
            let place = format!("seed {seed}, step {step}, {a:?} {b:?}");
            assert_eq!(table.len, longest(&a, &b), "{place}");
            assert_eq!(fill(&a, &b, |_, _| {}), table.len, "{place}");
            assert_eq!(text.len(), table.len as usize, "{place}");
            let in_runs: usize = runs(&a, &b, &table).iter().map(|run| run.len).sum();
            assert_eq!(in_runs, text.len(), "{place}");
        }
    }
}
