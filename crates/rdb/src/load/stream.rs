//! Streams: blocks of entries, what is remembered of the past, groups.

use std::collections::BTreeMap;

use stoa_value::{ConsumerId, Group, Packed, Pending, Stream, StreamId};

use super::{Count, Loaded};
use crate::listpack;
use crate::read::{Damaged, Reader};

/// What was written at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Entries and groups.
    First,
    /// Also what was deleted and added, and how far groups have read.
    Second,
    /// Also when consumers got something.
    Third,
}

/// A stream that is being read.
#[derive(Debug)]
pub(super) struct Parts {
    form: Form,
    stream: Stream,
    at: At,
}

/// What comes next.
#[derive(Debug)]
enum At {
    Blocks(Count),
    Past,
    Groups(Count),
    Pending(Box<Grouping>),
    Consumers(Box<Grouping>),
}

/// A group that is being read.
#[derive(Debug)]
struct Grouping {
    /// Groups left after it.
    left: Count,
    name: Vec<u8>,
    group: Group,
    /// What is pending, not yet told whose it is.
    unclaimed: BTreeMap<StreamId, (u64, u64)>,
    pending: Count,
    consumers: Count,
    /// Who was read last, and how much of what is theirs is left.
    consumer: Option<(ConsumerId, Count)>,
}

impl Parts {
    pub(super) fn new(form: Form) -> Self {
        Self { form, stream: Stream::default(), at: At::Blocks(Count::default()) }
    }

    /// Takes a block, a group's head, an entry that is pending, or a consumer.
    pub(super) fn step(&mut self, reader: &mut Reader<'_>) -> Result<Option<Loaded>, Damaged> {
        match &mut self.at {
            At::Blocks(count) => {
                if !count.is_next_of_any(reader)? {
                    self.at = At::Past;
                    return Ok(None);
                }
                let first = raw_id(&reader.string()?)?;
                let bytes = reader.string()?;
                let (elements, _) = listpack::open(&bytes)?;
                if !self.stream.push_block(first, &Packed::collect(elements)) {
                    return Err(Damaged("a block of entries is damaged"));
                }
                count.taken();
            }
            At::Past => {
                past(&mut self.stream, reader, self.form)?;
                self.at = At::Groups(Count::default());
            }
            At::Groups(count) => {
                if !count.is_next_of_any(reader)? {
                    return Ok(Some(Loaded::of(std::mem::take(&mut self.stream))));
                }
                let grouping = Grouping::read(reader, self.form, &self.stream, *count)?;
                self.at = At::Pending(Box::new(grouping));
            }
            At::Pending(grouping) => {
                if !grouping.take_pending(reader)? {
                    let At::Pending(grouping) = std::mem::replace(&mut self.at, At::Past) else {
                        unreachable!("as matched")
                    };
                    self.at = At::Consumers(grouping);
                }
            }
            At::Consumers(grouping) => {
                if !grouping.take_consumer(reader, self.form)? {
                    let At::Consumers(grouping) = std::mem::replace(&mut self.at, At::Past) else {
                        unreachable!("as matched")
                    };
                    if !grouping.unclaimed.is_empty() {
                        return Err(Damaged("an entry is pending for nobody"));
                    }
                    self.stream.put_group(&grouping.name, grouping.group);
                    let mut left = grouping.left;
                    left.taken();
                    self.at = At::Groups(left);
                }
            }
        }
        Ok(None)
    }
}

/// What is remembered of the past.
fn past(stream: &mut Stream, reader: &mut Reader<'_>, form: Form) -> Result<(), Damaged> {
    let len = reader.len()?;
    let last_id = id(reader)?;
    if len != stream.len() as u64 || last_id < stream.last_id() {
        return Err(Damaged("a stream's length or last id is not that of its entries"));
    }
    let (max_deleted, added) = if form >= Form::Second {
        // The first id follows from the entries.
        id(reader)?;
        (id(reader)?, signed(reader.len()?)?)
    } else {
        (StreamId::MIN, len)
    };
    stream.set_last_id(last_id, Some(added), Some(max_deleted));
    Ok(())
}

impl Grouping {
    fn read(
        reader: &mut Reader<'_>,
        form: Form,
        stream: &Stream,
        left: Count,
    ) -> Result<Self, Damaged> {
        let name = reader.string()?;
        if stream.groups().contains_key(&*name) {
            return Err(Damaged("a group is there twice"));
        }
        let last_id = id(reader)?;
        let read = if form >= Form::Second {
            // Minus one says that it cannot be told.
            i64::try_from(reader.len()?).ok().map(i64::unsigned_abs)
        } else {
            stream.entries_upto(last_id)
        };
        Ok(Self {
            left,
            name: name.into_owned(),
            group: Group::new(last_id, read),
            unclaimed: BTreeMap::new(),
            pending: Count::default(),
            consumers: Count::default(),
            consumer: None,
        })
    }

    fn take_pending(&mut self, reader: &mut Reader<'_>) -> Result<bool, Damaged> {
        if !self.pending.is_next_of_any(reader)? {
            return Ok(false);
        }
        let id = StreamId::from_bytes(reader.array()?);
        let delivered = (signed(reader.word()?)?, signed(reader.len()?)?);
        if self.unclaimed.insert(id, delivered).is_some() {
            return Err(Damaged("an entry is pending twice"));
        }
        self.pending.taken();
        Ok(true)
    }

    /// Takes a consumer, or an entry that is pending for the last one.
    fn take_consumer(&mut self, reader: &mut Reader<'_>, form: Form) -> Result<bool, Damaged> {
        if let Some((consumer, count)) = &mut self.consumer {
            if count.is_next_of_any(reader)? {
                let id = StreamId::from_bytes(reader.array()?);
                let (delivered_ms, times) = self
                    .unclaimed
                    .remove(&id)
                    .ok_or(Damaged("a consumer has what is not pending"))?;
                let pending = Pending { delivered_ms, count: times, consumer: *consumer };
                self.group.deliver(id, pending);
                count.taken();
                return Ok(true);
            }
            self.consumer = None;
            self.consumers.taken();
        }
        if !self.consumers.is_next_of_any(reader)? {
            return Ok(false);
        }
        let name = reader.string()?;
        let seen_ms = signed(reader.word()?)?;
        let active_ms = if form >= Form::Third { reader.word()? } else { seen_ms };
        let consumer = self.group.add(&name, seen_ms);
        let consumer = consumer.ok_or(Damaged("a consumer is there twice"))?;
        // Minus one, or anything below zero, says never.
        self.group.consumer_mut(consumer).active_ms =
            i64::try_from(active_ms).ok().map(i64::unsigned_abs);
        self.consumer = Some((consumer, Count::default()));
        Ok(true)
    }
}

/// Times and counts have 63 bits, as in commands: so there is room to count on.
fn signed(number: u64) -> Result<u64, Damaged> {
    let is_signed = i64::try_from(number).is_ok();
    if is_signed { Ok(number) } else { Err(Damaged("a time or count is below zero")) }
}

fn id(reader: &mut Reader<'_>) -> Result<StreamId, Damaged> {
    Ok(StreamId { ms: reader.len()?, seq: reader.len()? })
}

/// The name of a block: its first id as a string.
fn raw_id(text: &[u8]) -> Result<StreamId, Damaged> {
    let bytes = text.try_into().map_err(|_| Damaged("a block of entries has no id"))?;
    Ok(StreamId::from_bytes(bytes))
}
