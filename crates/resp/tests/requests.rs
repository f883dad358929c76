//! Requests as bytes against what the parser makes of them, whole and in every kind of pieces.

mod vectors;

use stoa_resp::{Limits, Parsed, Parser, ProtocolError, Span, split_words, write_request};
use stoa_stdx::Rng;

/// One request, or what else stands there.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    Request(Vec<Vec<u8>>),
    Error(ProtocolError),
}

/// Reads all of `stream`, whose next piece is as long as `piece` says, as a connection would: the
/// read buffer keeps the unfinished tail, behind a few bytes of something else.
fn read_all(stream: &[u8], limits: &Limits, mut piece: impl FnMut(usize) -> usize) -> Vec<Found> {
    let (mut parser, mut found) = (Parser::new(), Vec::new());
    let (mut tail, mut fed) = (Vec::new(), 0);
    while fed < stream.len() {
        let pad = fed % 3;
        let mut buf = vec![b'#'; pad];
        let len = piece(stream.len() - fed).clamp(1, stream.len() - fed);
        buf.extend_from_slice(&tail);
        buf.extend_from_slice(&stream[fed..fed + len]);
        fed += len;
        let (mut at, mut args) = (pad, Vec::new());
        // Requests of one read are collected before any is resolved, as a batch is.
        let mut batch: Vec<(usize, u32)> = Vec::new();
        let failed = loop {
            let first = args.len();
            match parser.parse(&buf, at, limits, &mut args) {
                Ok(Parsed::Request { argc, consumed }) => {
                    assert_eq!(args.len() - first, argc as usize);
                    batch.push((first, argc));
                    at += consumed;
                }
                Ok(Parsed::Empty { consumed }) => at += consumed,
                Ok(Parsed::Incomplete { need }) => {
                    assert!(need > buf.len() - at, "need {need} of {}", buf.len() - at);
                    assert_eq!(args.len(), first, "nothing is left of half a request");
                    break None;
                }
                Err(error) => {
                    assert_eq!(args.len(), first, "nothing is left of a bad request");
                    break Some(error);
                }
            }
        };
        for (first, argc) in batch {
            let args = &args[first..first + argc as usize];
            found.push(Found::Request(resolve(&parser, &buf, args)));
        }
        if let Some(error) = failed {
            found.push(Found::Error(error));
            return found;
        }
        tail = buf[at..].to_vec();
    }
    found
}

fn resolve(parser: &Parser, buf: &[u8], args: &[Span]) -> Vec<Vec<u8>> {
    args.iter().map(|&span| parser.arg(buf, span).to_vec()).collect()
}

fn show(input: &[u8], limits: &Limits) -> String {
    let (mut parser, mut args) = (Parser::new(), Vec::new());
    match parser.parse(input, 0, limits, &mut args) {
        Ok(Parsed::Request { consumed, .. }) => {
            let args = resolve(&parser, input, &args);
            let args = args.iter().map(|arg| format!("[{}] ", vectors::escape(arg)));
            format!("{}{consumed}", args.collect::<String>())
        }
        Ok(Parsed::Empty { consumed }) => format!("empty {consumed}"),
        Ok(Parsed::Incomplete { .. }) => "incomplete".to_owned(),
        Err(error) => format!("error {error}"),
    }
}

#[test]
fn every_vector_reads_as_written() {
    vectors::check(include_str!("vectors/requests.txt"), |input| show(input, &Limits::default()));
}

#[test]
fn before_login_requests_are_small() {
    vectors::check(include_str!("vectors/unauthenticated.txt"), |input| {
        show(input, &Limits::unauthenticated())
    });
}

#[test]
fn a_line_without_end_is_refused_at_64_kib_and_not_before() {
    for (start, want) in [
        ("", ProtocolError::InlineTooBig),
        ("*", ProtocolError::ArgsHeaderTooBig),
        ("*1\r\n", ProtocolError::BulkHeaderTooBig),
        ("*1\r\n$", ProtocolError::BulkHeaderTooBig),
    ] {
        let limits = Limits::default();
        let line = start.rfind('\n').map_or(0, |end| end + 1);
        let mut input = start.as_bytes().to_vec();
        input.resize(line + limits.inline_max, b'1');
        let mut parser = Parser::new();
        let at_limit = parser.parse(&input, 0, &limits, &mut Vec::new());
        assert!(matches!(at_limit, Ok(Parsed::Incomplete { .. })), "{start:?}: {at_limit:?}");
        input.push(b'1');
        assert_eq!(parser.parse(&input, 0, &limits, &mut Vec::new()), Err(want), "{start:?}");
    }
}

#[test]
fn a_large_bulk_tells_how_much_is_to_come() {
    let input = b"*2\r\n$3\r\nGET\r\n$5000000\r\nabc";
    let parsed = Parser::new().parse(input, 0, &Limits::default(), &mut Vec::new());
    let need = input.len() - 3 + 5_000_000 + 2;
    assert_eq!(parsed, Ok(Parsed::Incomplete { need }));
}

#[test]
fn a_configured_bulk_limit_is_the_limit() {
    let limits = Limits { bulk_len_max: 1_000, ..Limits::default() };
    let at = |len: usize| format!("*1\r\n${len}\r\n{}\r\n", "x".repeat(len)).into_bytes();
    let read = |input: &[u8]| Parser::new().parse(input, 0, &limits, &mut Vec::new());
    assert!(matches!(read(&at(1_000)), Ok(Parsed::Request { argc: 1, .. })));
    assert_eq!(read(&at(1_001)), Err(ProtocolError::BulkLen));
}

#[test]
fn a_million_arguments_byte_by_byte_take_linear_time() {
    // Re-reading from the start at each byte would take 10^11 steps, that is, never end.
    let mut input = b"*100000\r\n".to_vec();
    for _ in 0..100_000 {
        input.extend_from_slice(b"$1\r\nx\r\n");
    }
    let (mut parser, mut args) = (Parser::new(), Vec::new());
    for end in 0..input.len() {
        let parsed = parser.parse(&input[..end], 0, &Limits::default(), &mut args);
        assert!(matches!(parsed, Ok(Parsed::Incomplete { .. })), "{end}: {parsed:?}");
    }
    let parsed = parser.parse(&input, 0, &Limits::default(), &mut args);
    assert_eq!(parsed, Ok(Parsed::Request { argc: 100_000, consumed: input.len() }));
    assert!(args.iter().all(|&arg| parser.arg(&input, arg) == b"x"));
}

#[test]
fn any_split_of_the_bytes_gives_the_same_requests() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let limits = Limits { inline_max: 40, unauthenticated: rng.one_in(8), ..Limits::default() };
        let (stream, mut want) = random_stream(&mut rng, &limits);
        let whole = read_all(&stream, &limits, |left| left);
        if let Some(Found::Error(_)) = whole.last() {
            want.truncate(whole.len() - 1);
            assert_eq!(whole[..whole.len() - 1], want, "seed {seed}");
        } else {
            assert_eq!(whole, want, "seed {seed}");
        }
        assert_eq!(read_all(&stream, &limits, |_| 1), whole, "seed {seed}, byte by byte");
        for round in 0..8 {
            let most = 1 + rng.below(60);
            let split = read_all(&stream, &limits, |_| rng.below(most) as usize);
            assert_eq!(split, whole, "seed {seed}, round {round}, pieces up to {most}");
        }
    }
}

/// Good requests, and what they should be read as; sometimes one byte is then spoilt, after which
/// only the pieces must agree with each other.
fn random_stream(rng: &mut Rng, limits: &Limits) -> (Vec<u8>, Vec<Found>) {
    let (mut stream, mut want) = (Vec::new(), Vec::new());
    for _ in 0..rng.below(12) {
        match rng.below(8) {
            0 => {
                let nothing = *rng.pick(&["\r\n", "*0\r\n", "*-1\r\n", "\n"]);
                stream.extend_from_slice(nothing.as_bytes());
            }
            1 => {
                let line = *rng.pick(&[r#"get "a b""#, "ping", r#"set k "\x00\n""#, "  a 'b' "]);
                stream.extend_from_slice(line.as_bytes());
                stream.extend_from_slice(b"\r\n");
                want.push(Found::Request(split_words(line.as_bytes()).expect("quotes match")));
            }
            _ => {
                let args = random_args(rng, limits);
                write_request(&mut stream, &args);
                want.push(Found::Request(args));
            }
        }
    }
    if rng.one_in(3) && !stream.is_empty() {
        let spoilt = rng.below(stream.len() as u64) as usize;
        stream[spoilt] = *rng.pick(b"*$0129\r\n\"'\\ -ax\0");
        want = read_all(&stream, limits, |left| left);
        want.retain(|found| matches!(found, Found::Request(_)));
    }
    (stream, want)
}

fn random_args(rng: &mut Rng, limits: &Limits) -> Vec<Vec<u8>> {
    let most = if limits.unauthenticated { 10 } else { *rng.pick(&[3, 3, 9, 12, 150]) };
    let argc = 1 + rng.below(most);
    let arg = |rng: &mut Rng| {
        let most = *rng.pick(&[4, 12, 120]);
        (0..rng.below(most)).map(|_| *rng.pick(b"ab\r\n*$1\0\xff")).collect()
    };
    (0..argc).map(|_| arg(rng)).collect()
}
