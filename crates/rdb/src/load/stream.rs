//! Streams: blocks of entries, what is remembered of the past, groups.

use std::collections::BTreeMap;

use stoa_value::{ConsumerId, Group, Packed, Pending, Stream, StreamId};

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

/// What is pending in a group, not yet told whose it is.
type Unclaimed = BTreeMap<StreamId, (u64, u64)>;

pub(super) fn load(reader: &mut Reader<'_>, form: Form) -> Result<Stream, Damaged> {
    let mut stream = Stream::default();
    for _ in 0..reader.len()? {
        let first = raw_id(&reader.string()?)?;
        let bytes = reader.string()?;
        let (elements, _) = listpack::open(&bytes)?;
        if !stream.push_block(first, Packed::collect(elements)) {
            return Err(Damaged("a block of entries is damaged"));
        }
    }
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
    for _ in 0..reader.len()? {
        let name = reader.string()?;
        if stream.groups().contains_key(&*name) {
            return Err(Damaged("a group is there twice"));
        }
        let group = group(reader, form, &stream)?;
        stream.put_group(&name, group);
    }
    Ok(stream)
}

fn group(reader: &mut Reader<'_>, form: Form, stream: &Stream) -> Result<Group, Damaged> {
    let last_id = id(reader)?;
    let read = if form >= Form::Second {
        // Minus one says that it cannot be told.
        i64::try_from(reader.len()?).ok().map(i64::unsigned_abs)
    } else {
        stream.entries_upto(last_id)
    };
    let mut group = Group::new(last_id, read);
    let mut unclaimed = Unclaimed::new();
    for _ in 0..reader.len()? {
        let id = StreamId::from_bytes(reader.array()?);
        let delivered = (signed(reader.word()?)?, signed(reader.len()?)?);
        if unclaimed.insert(id, delivered).is_some() {
            return Err(Damaged("an entry is pending twice"));
        }
    }
    for _ in 0..reader.len()? {
        consumer(reader, form, &mut group, &mut unclaimed)?;
    }
    if unclaimed.is_empty() { Ok(group) } else { Err(Damaged("an entry is pending for nobody")) }
}

fn consumer(
    reader: &mut Reader<'_>,
    form: Form,
    group: &mut Group,
    unclaimed: &mut Unclaimed,
) -> Result<(), Damaged> {
    let name = reader.string()?;
    let seen_ms = signed(reader.word()?)?;
    let active_ms = if form >= Form::Third { reader.word()? } else { seen_ms };
    let consumer: ConsumerId =
        group.add(&name, seen_ms).ok_or(Damaged("a consumer is there twice"))?;
    // Minus one, or anything below zero, says never.
    group.consumer_mut(consumer).active_ms = i64::try_from(active_ms).ok().map(i64::unsigned_abs);
    for _ in 0..reader.len()? {
        let id = StreamId::from_bytes(reader.array()?);
        let (delivered_ms, count) =
            unclaimed.remove(&id).ok_or(Damaged("a consumer has what is not pending"))?;
        group.deliver(id, Pending { delivered_ms, count, consumer });
    }
    Ok(())
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
