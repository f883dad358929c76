//! Streams: blocks as they lie in memory, the past, groups with their consumers.

use stoa_value::{Consumer, Group, Stream, StreamId};

use super::Writer;

impl Writer {
    pub(super) fn stream(&mut self, stream: &Stream) {
        let blocks = stream.blocks();
        self.len(blocks.len() as u64);
        for (first, block) in blocks {
            self.text(&first.to_bytes());
            self.text(block.as_bytes());
        }
        self.len(stream.len() as u64);
        self.id(stream.last_id());
        self.id(stream.first_id());
        self.id(stream.max_deleted_id());
        self.len(stream.entries_added());
        self.len(stream.groups().len() as u64);
        for (name, group) in stream.groups() {
            self.text(name);
            self.group(group);
        }
    }

    fn group(&mut self, group: &Group) {
        self.id(group.last_id);
        // Minus one says that it cannot be told.
        self.len(group.entries_read.unwrap_or(u64::MAX));
        self.len(group.pending().len() as u64);
        for (id, pending) in group.pending() {
            self.raw(&id.to_bytes());
            self.word(pending.delivered_ms);
            self.len(pending.count);
        }
        let consumers = group.consumers();
        self.len(consumers.len() as u64);
        consumers.for_each(|consumer| self.consumer(consumer));
    }

    fn consumer(&mut self, consumer: &Consumer) {
        self.text(&consumer.name);
        self.word(consumer.seen_ms);
        self.word(consumer.active_ms.unwrap_or(u64::MAX));
        self.len(consumer.pending().len() as u64);
        for id in consumer.pending() {
            self.raw(&id.to_bytes());
        }
    }

    fn id(&mut self, id: StreamId) {
        self.len(id.ms);
        self.len(id.seq);
    }
}
