//! The request parser on what servers see most: reads full of small pipelined commands.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stoa_resp::{Encoder, Limits, Parsed, Parser, Proto, write_request};

/// Requests a read holds in these benches.
const BATCH_LEN: u64 = 256;

fn parse_all(parser: &mut Parser, buf: &[u8], args: &mut Vec<stoa_resp::Span>) -> u32 {
    args.clear();
    let (mut at, mut requests, limits) = (0, 0, Limits::default());
    while let Ok(Parsed::Request { consumed, .. }) = parser.parse(buf, at, &limits, args) {
        at += consumed;
        requests += 1;
    }
    requests
}

fn parser(c: &mut Criterion) {
    let key = b"key:000000012345".as_slice();
    let value = [b'v'; 64];
    let cases: [(&str, Vec<&[u8]>); 4] = [
        ("get", vec![b"GET", key]),
        ("set", vec![b"SET", key, &value]),
        ("set_ex", vec![b"SET", key, &value, b"EX", b"100"]),
        ("mget_16", [vec![b"MGET".as_slice()], vec![key; 16]].concat()),
    ];
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(BATCH_LEN));
    for (name, request) in cases {
        let mut buf = Vec::new();
        for _ in 0..BATCH_LEN {
            write_request(&mut buf, &request);
        }
        let (mut parser, mut args) = (Parser::new(), Vec::new());
        group.bench_function(name, |b| {
            b.iter(|| {
                let requests = parse_all(&mut parser, black_box(&buf), &mut args);
                assert_eq!(u64::from(requests), BATCH_LEN);
            });
        });
    }
    let buf = b"GET key:000000012345\r\n".repeat(BATCH_LEN as usize);
    let (mut parser, mut args) = (Parser::new(), Vec::new());
    group.bench_function("inline_get", |b| {
        b.iter(|| parse_all(&mut parser, black_box(&buf), &mut args));
    });
    group.finish();
}

fn encoder(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(BATCH_LEN));
    let value = [b'v'; 64];
    let mut out = Vec::with_capacity(64 * 1024);
    group.bench_function("bulk_64", |b| {
        b.iter(|| {
            out.clear();
            let mut to = Encoder::new(&mut out, Proto::Resp2);
            for _ in 0..BATCH_LEN {
                to.bulk(black_box(&value));
            }
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, parser, encoder);
criterion_main!(benches);
