//! Streams: blocks in their published form, the past, groups with their consumers.

use std::iter;

use stoa_value::{Consumer, Group, Stream, StreamId};

use super::Token;

pub(super) fn tokens(stream: &Stream) -> impl Iterator<Item = Token<'_>> {
    let blocks = stream.blocks();
    let head = Token::Len(blocks.len() as u64);
    let blocks = blocks
        .flat_map(|(first, block)| [Token::Name(first.to_bytes()), Token::StreamBlock(block)]);
    let past = [Token::Len(stream.len() as u64)]
        .into_iter()
        .chain(id(stream.last_id()))
        .chain(id(stream.first_id()))
        .chain(id(stream.max_deleted_id()))
        .chain([Token::Len(stream.entries_added()), Token::Len(stream.groups().len() as u64)]);
    let groups = stream
        .groups()
        .iter()
        .flat_map(|(name, group)| iter::once(Token::Bytes(name)).chain(of_group(group)));
    iter::once(head).chain(blocks).chain(past).chain(groups)
}

fn of_group(group: &Group) -> impl Iterator<Item = Token<'_>> {
    // Minus one says that it cannot be told.
    let read = Token::Len(group.entries_read.unwrap_or(u64::MAX));
    let pending = group.pending().iter().flat_map(|(id, pending)| {
        [Token::Raw(id.to_bytes()), Token::Word(pending.delivered_ms), Token::Len(pending.count)]
    });
    let consumers = group.consumers();
    let consumers_len = Token::Len(consumers.len() as u64);
    id(group.last_id)
        .into_iter()
        .chain([read, Token::Len(group.pending().len() as u64)])
        .chain(pending)
        .chain([consumers_len])
        .chain(consumers.flat_map(of_consumer))
}

fn of_consumer(consumer: &Consumer) -> impl Iterator<Item = Token<'_>> {
    let head = [
        Token::Bytes(&consumer.name),
        Token::Word(consumer.seen_ms),
        Token::Word(consumer.active_ms.unwrap_or(u64::MAX)),
        Token::Len(consumer.pending().len() as u64),
    ];
    let pending = consumer.pending().iter().map(|id| Token::Raw(id.to_bytes()));
    head.into_iter().chain(pending)
}

fn id(id: StreamId) -> [Token<'static>; 2] {
    [Token::Len(id.ms), Token::Len(id.seq)]
}
