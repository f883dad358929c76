//! Streams: blocks in their published form, the past, groups with their consumers.
//!
//! Nothing is kept of a stream between two portions but a place in it, by ids and names. A portion finds it
//! again by search, however much lies before it; so all portions together take as long as one that is
//! written whole, and a search each.

use std::ops::Bound;

use stoa_value::{Consumer, Group, Stream, StreamId};

use super::Writer;

/// Behind what it goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    at: At,
    /// Things that were looked at so far, wherever portions ended.
    #[cfg(test)]
    pub(super) looked_at: usize,
}

#[derive(Clone, Debug, Default)]
enum At {
    /// Nothing is written.
    #[default]
    Start,
    /// The block of this id, or the count of all.
    Block(Option<StreamId>),
    /// The group of this name, or the past.
    Group(Option<Box<[u8]>>),
    /// Something that is pending in a group, or what stands in front of it.
    Pending(Box<[u8]>, Option<StreamId>),
    /// A consumer of a group with all that it has not acknowledged, or their count.
    Consumer(Box<[u8]>, Option<Box<[u8]>>),
    /// Something that a consumer of a group has not acknowledged, or what stands in front of it.
    Id(Box<[u8]>, Box<[u8]>, Option<StreamId>),
    /// All of it.
    End,
}

impl Place {
    pub(super) const fn is_end(&self) -> bool {
        matches!(self.at, At::End)
    }

    /// Writes until what `writer` holds was `len_max` bytes or more before it was compressed, or all is
    /// written: a thing at least.
    pub(super) fn write(&mut self, stream: &Stream, writer: &mut Writer, len_max: usize) {
        while !self.is_end() {
            self.at = self.write_stage(stream, writer, len_max);
            if writer.worked() >= len_max {
                return;
            }
        }
    }

    /// Writes things of one kind, up to the next of another.
    fn write_stage(&mut self, stream: &Stream, writer: &mut Writer, len_max: usize) -> At {
        self.looks_at_one();
        match std::mem::take(&mut self.at) {
            At::Start => {
                writer.len(stream.block_count() as u64);
                At::Block(None)
            }
            At::Block(last) => self.blocks(stream, last, writer, len_max),
            At::Group(last) => {
                let from = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let mut groups = stream.groups().range::<[u8], _>((from, Bound::Unbounded));
                let Some((name, group)) = groups.next() else { return At::End };
                head_of_group(name, group, writer);
                At::Pending(name.clone(), None)
            }
            At::Pending(name, last) => {
                let group = &stream.groups()[&name];
                self.pending(name, group, last, writer, len_max)
            }
            At::Consumer(name, last) => {
                let group = &stream.groups()[&name];
                let Some(consumer) = group.consumer_behind(last.as_deref()) else {
                    return At::Group(Some(name));
                };
                head_of_consumer(consumer, writer);
                At::Id(name, consumer.name.clone(), None)
            }
            At::Id(name, consumer, last) => {
                let group = &stream.groups()[&name];
                let id = group.find(&consumer).expect("the stream is as it was");
                self.ids((name, consumer), group.consumer(id), last, writer, len_max)
            }
            At::End => At::End,
        }
    }

    fn blocks(
        &mut self,
        stream: &Stream,
        last: Option<StreamId>,
        writer: &mut Writer,
        len_max: usize,
    ) -> At {
        for (first, block) in stream.blocks_behind(last) {
            self.looks_at_one();
            writer.text(&first.to_bytes());
            writer.text(block.to_packed().as_bytes());
            if writer.worked() >= len_max {
                return At::Block(Some(first));
            }
        }
        writer.len(stream.len() as u64);
        for past in [stream.last_id(), stream.first_id(), stream.max_deleted_id()] {
            writer.id(past);
        }
        writer.len(stream.entries_added());
        writer.len(stream.groups().len() as u64);
        At::Group(None)
    }

    fn pending(
        &mut self,
        name: Box<[u8]>,
        group: &Group,
        last: Option<StreamId>,
        writer: &mut Writer,
        len_max: usize,
    ) -> At {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        for (id, pending) in group.pending().range((from, Bound::Unbounded)) {
            self.looks_at_one();
            writer.raw(&id.to_bytes());
            writer.word(pending.delivered_ms);
            writer.len(pending.count);
            if writer.worked() >= len_max {
                return At::Pending(name, Some(*id));
            }
        }
        writer.len(group.consumers().len() as u64);
        At::Consumer(name, None)
    }

    fn ids(
        &mut self,
        (group, name): (Box<[u8]>, Box<[u8]>),
        consumer: &Consumer,
        last: Option<StreamId>,
        writer: &mut Writer,
        len_max: usize,
    ) -> At {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        for id in consumer.pending().range((from, Bound::Unbounded)) {
            self.looks_at_one();
            writer.raw(&id.to_bytes());
            if writer.worked() >= len_max {
                return At::Id(group, name, Some(*id));
            }
        }
        At::Consumer(group, Some(name))
    }

    const fn looks_at_one(&mut self) {
        #[cfg(test)]
        {
            self.looked_at += 1;
        }
    }
}

fn head_of_group(name: &[u8], group: &Group, writer: &mut Writer) {
    writer.text(name);
    writer.id(group.last_id);
    // Minus one says that it cannot be told.
    writer.len(group.entries_read.unwrap_or(u64::MAX));
    writer.len(group.pending().len() as u64);
}

fn head_of_consumer(consumer: &Consumer, writer: &mut Writer) {
    writer.text(&consumer.name);
    writer.word(consumer.seen_ms);
    writer.word(consumer.active_ms.unwrap_or(u64::MAX));
    writer.len(consumer.pending().len() as u64);
}

impl Writer {
    fn id(&mut self, id: StreamId) {
        self.len(id.ms);
        self.len(id.seq);
    }
}

#[cfg(test)]
mod tests {
    use stoa_value::{BlockLimits, Group, Pending, Stream, StreamId};

    use super::{Place, Writer};

    /// A stream with so many groups of so many consumers, each with so many entries pending.
    fn stream(groups: u64, consumers: u64, pending: u64) -> Stream {
        let mut stream = Stream::default();
        let limits = BlockLimits { bytes: 200, entries: 5 };
        for ms in 1..=consumers * pending {
            stream.push(StreamId { ms, seq: 0 }, &[b"field", ms.to_string().as_bytes()], limits);
        }
        for number in 0..groups {
            let mut group = Group::new(stream.last_id(), Some(number));
            for name in 0..consumers {
                let consumer = group.add(name.to_string().as_bytes(), name).expect("a new name");
                for nth in 0..pending {
                    let id = StreamId { ms: 1 + nth * consumers + name, seq: 0 };
                    group.deliver(id, Pending { delivered_ms: nth, count: 1 + number, consumer });
                }
            }
            stream.put_group(number.to_string().as_bytes(), group);
        }
        stream
    }

    /// Its bytes and what was looked at, in portions of `len` bytes.
    fn in_portions(stream: &Stream, len: usize) -> (Vec<u8>, usize) {
        let (mut all, mut place) = (Vec::new(), Place::default());
        while !place.is_end() {
            let mut writer = Writer::new(false);
            place.write(stream, &mut writer, len);
            assert!(place.is_end() || writer.waiting() >= len.min(1), "a portion writes something");
            all.append(&mut writer.take());
        }
        (all, place.looked_at)
    }

    #[test]
    fn portions_of_every_size_are_the_bytes_of_one_go() {
        for (groups, consumers, pending) in
            [(0, 0, 0), (0, 3, 4), (1, 0, 0), (2, 1, 0), (3, 2, 7), (2, 5, 3), (1, 1, 40)]
        {
            let stream = stream(groups, consumers, pending);
            let (whole, _) = in_portions(&stream, usize::MAX);
            for len in (0..whole.len() + 2).step_by(if cfg!(miri) { 97 } else { 1 }) {
                let case = format!("{groups}, {consumers}, {pending} in portions of {len}");
                assert_eq!(in_portions(&stream, len).0, whole, "{case}");
            }
        }
    }

    #[test]
    fn what_all_portions_look_at_grows_with_the_stream_and_not_with_their_number() {
        let scale = if cfg!(miri) { 3 } else { 100 };
        for (groups, consumers, pending) in
            [(1, 1, 5 * scale), (1, 5 * scale, 1), (5 * scale, 1, 1), (10, 10, scale)]
        {
            let stream = stream(groups, consumers, pending);
            let (_, at_once) = in_portions(&stream, usize::MAX);
            // A block, a head and two of what is pending each, and the end of each kind.
            let things = stream.block_count() as u64 + groups * (4 + consumers * (3 + 2 * pending));
            assert!(at_once as u64 <= things + 4, "{at_once} for {things} things");
            for len in [1, 30, 1_000] {
                let (_, looked_at) = in_portions(&stream, len);
                // A portion that ends behind the last of a kind finds so in the next.
                assert!(looked_at <= 2 * at_once, "{looked_at} in portions of {len}, {at_once}");
            }
        }
    }
}
