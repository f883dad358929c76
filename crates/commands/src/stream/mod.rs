//! Streams: append-only logs, read by anybody or shared out to the consumers of groups.

mod id;
mod trim;
mod xack;
mod xadd;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xpending;
mod xrange;
mod xread;

use stoa_command::{Arity, Category, Flags, Group, KeyFlags, KeySpec, Spec};
use stoa_engine::{Entry, Reply, entry};
use stoa_value::{StreamEntry, StreamId};

use crate::container::{container, help};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<xack::XAck>(),
    entry::<xadd::XAdd>(),
    entry::<xclaim::XAutoClaim>(),
    entry::<xclaim::XClaim>(),
    entry::<xdel::XDel>(),
    container(xgroup::CONTAINER),
    entry::<xgroup::Create>(),
    entry::<xgroup::CreateConsumer>(),
    entry::<xgroup::DelConsumer>(),
    entry::<xgroup::Destroy>(),
    help(xgroup::HELP),
    entry::<xgroup::SetId>(),
    container(xinfo::CONTAINER),
    entry::<xinfo::Consumers>(),
    entry::<xinfo::Groups>(),
    help(xinfo::HELP),
    entry::<xinfo::Stream>(),
    entry::<xrange::XLen>(),
    entry::<xpending::XPending>(),
    entry::<xrange::XRange>(),
    entry::<xread::XRead>(),
    entry::<xread::XReadGroup>(),
    entry::<xrange::XRevRange>(),
    entry::<xdel::XSetId>(),
    entry::<trim::XTrim>(),
];

/// What reads one stream.
const READS: Spec = Spec {
    since: "5.0.0",
    group: Group::Stream,
    arity: Arity(-4),
    flags: Flags::READONLY,
    categories: &[Category::Stream],
    keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
    ..Spec::DEFAULT
};

/// What changes one stream.
const WRITES: Spec = Spec {
    flags: Flags::WRITE,
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
    ..READS
};

/// Answers an id.
fn reply_id(id: StreamId, reply: &mut dyn Reply) {
    let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (ms, seq) = (ms.format(id.ms).as_bytes(), seq.format(id.seq).as_bytes());
    let mut text = [b'-'; 41];
    let len = ms.len() + 1 + seq.len();
    text[..ms.len()].copy_from_slice(ms);
    text[ms.len() + 1..len].copy_from_slice(seq);
    reply.bulk(&text[..len]);
}

/// Answers an entry: id, then fields and values.
fn reply_entry(entry: StreamEntry<'_>, reply: &mut dyn Reply) {
    reply.array(2);
    reply_id(entry.id, reply);
    reply.array(entry.fields.len() * 2);
    for (name, value) in entry.fields {
        name.with(|name| reply.bulk(name));
        value.with(|value| reply.bulk(value));
    }
}

/// Answers that there is no such group. An error that repeats the client's words.
fn reply_no_group(key: &[u8], group: &[u8], reply: &mut dyn Reply) {
    let text: [&[u8]; 5] = [b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"];
    reply.error_words(&text);
}
