//! Commands whose keys are split over their owners: each gets a request with its share of the keys, all
//! happen at one moment, and the encoded answers become one.

use stoa_command::{Args, Flags};
use stoa_stdx::ShardId;

use smallvec::SmallVec;

use crate::Shard;
use crate::execute::{Argv, Req};
use crate::gather::How;
use crate::message::{Ask, Dest, GatherId};
use crate::places::{Place, Routed};
use crate::plan::Join;
use crate::planted::Planted;

/// Shards among which the keys of a request are split without a list of them on the heap.
const OWNERS_INLINE: usize = 8;

/// Which part the answer for each key is in, in the order of the keys.
pub(crate) type KeyOrder = SmallVec<[u16; 16]>;

/// Encoded answers, in the order in which they came.
pub(crate) struct Parts {
    bytes: Vec<u8>,
    ranges: SmallVec<[(usize, usize); 4]>,
}

impl Parts {
    /// For so many answers.
    pub(crate) fn new(count: usize) -> Self {
        Self { bytes: Vec::new(), ranges: SmallVec::from_elem((0, 0), count) }
    }

    fn put(&mut self, number: u16, reply: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(reply);
        self.ranges[number as usize] = (start, self.bytes.len());
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges.iter().map(|(start, end)| &self.bytes[*start..*end])
    }
}

impl Shard {
    /// Sends each owner a request with its share of the keys.
    pub(crate) fn split(&mut self, req: Req<'_>, places: &[Place], join: Join) {
        let entry = self.node.table.at(req.verdict.index);
        // What can be refused without looking at keys is refused before a part leaves.
        if let Err(error) = (entry.check)(&mut Args::new(req.argv, req.verdict.args_at)) {
            return self.refuse_parsed(req, error);
        }
        let mut owners: SmallVec<[ShardId; OWNERS_INLINE]> = SmallVec::new();
        let mut order = KeyOrder::new();
        for place in places {
            let number = owners.iter().position(|owner| *owner == place.owner);
            let number = number.unwrap_or_else(|| {
                owners.push(place.owner);
                owners.len() - 1
            });
            if join == Join::ByKey {
                order.push(number as u16);
            }
        }
        let how = How::Bytes { join, parts: Parts::new(owners.len()), order };
        let gather = self.open_gather(req, owners.len(), how, false);
        let reads = entry.spec.flags.has(Flags::READONLY);
        let is_apart = reads && self.plants(Planted::OptimisticRead);
        let opening =
            (!is_apart).then(|| self.open_transaction(req.conn, gather, owners.iter().copied()));
        // MSET: what follows a key up to the next belongs to it.
        let first = places[0].at as usize;
        let step = places.get(1).map_or(1, |second| second.at as usize - first);
        let mut argv = Argv::new();
        for (number, owner) in owners.into_iter().enumerate() {
            argv.clear();
            argv.extend_from_slice(&req.argv[..first]);
            for place in places.iter().filter(|place| place.owner == owner) {
                let at = place.at as usize;
                argv.extend_from_slice(&req.argv[at..(at + step).min(req.argv.len())]);
            }
            let share = Req { argv: &argv, ..req };
            let routed = Routed::At(places, owner);
            let number = number as u16;
            match &opening {
                Some(opening) => {
                    self.open_share(opening, share, (owner, number), Ask::Execute, routed);
                }
                None => self.ask_apart(share, owner, Dest::Part { gather, number }, routed),
            }
        }
    }

    /// Planted: a share of no transaction.
    fn ask_apart(&mut self, req: Req<'_>, owner: ShardId, dest: Dest, routed: Routed<'_>) {
        if owner == self.node.shard {
            self.ask_self(req, dest, Ask::Execute);
        } else {
            self.send(owner, req, dest, Ask::Execute, routed);
        }
    }

    pub(crate) fn bytes_came(&mut self, id: GatherId, number: u16, reply: &[u8]) {
        let gather = self.gathers.get(id);
        let How::Bytes { parts, .. } = &mut gather.join else {
            unreachable!("bytes for a gather of facts")
        };
        parts.put(number, reply);
        gather.missing -= 1;
        if gather.missing == 0 {
            let gather = self.gathers.remove(id);
            let How::Bytes { join, parts, order } = &gather.join else { unreachable!("as above") };
            let mut joined = std::mem::take(&mut self.joined);
            joined.clear();
            join_bytes(*join, parts, order, &mut joined);
            self.finish_gather(&gather, &joined);
            if joined.capacity() <= JOINED_MAX {
                self.joined = joined;
            }
        }
    }
}

/// A buffer for joined replies that is longer is not kept.
const JOINED_MAX: usize = 64 * 1024;

/// One reply from encoded parts.
fn join_bytes(join: Join, parts: &Parts, order: &[u16], out: &mut Vec<u8>) {
    if let Some(error) = parts.all().find(|part| part.first() == Some(&b'-')) {
        return out.extend_from_slice(error);
    }
    match join {
        Join::AllSucceeded => out.extend_from_slice(parts.all().next().expect("there is a part")),
        Join::Sum => {
            let sum: i64 = parts.all().map(int_of).sum();
            write_line(out, b':', sum);
        }
        Join::Concat => {
            let bodies: Vec<(i64, &[u8])> = parts.all().map(array_of).collect();
            write_line(out, b'*', bodies.iter().map(|(count, _)| count).sum());
            bodies.iter().for_each(|(_, body)| out.extend_from_slice(body));
        }
        Join::ByKey => {
            let mut bodies: SmallVec<[&[u8]; OWNERS_INLINE]> =
                parts.all().map(|part| array_of(part).1).collect();
            out.reserve(parts.bytes.len());
            write_line(out, b'*', order.len() as i64);
            for part in order {
                let body = &mut bodies[*part as usize];
                let (element, rest) = body.split_at(element_len(body));
                out.extend_from_slice(element);
                *body = rest;
            }
        }
        Join::Merge => unreachable!("facts are merged by their command"),
    }
}

fn write_line(out: &mut Vec<u8>, kind: u8, number: i64) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn line_of(part: &[u8]) -> (&[u8], &[u8]) {
    let end = part.iter().position(|byte| *byte == b'\r').expect("our encoder ends lines");
    (&part[1..end], &part[end + 2..])
}

fn int_of(part: &[u8]) -> i64 {
    stoa_stdx::parse_int(line_of(part).0).expect("a summed command answers an integer")
}

fn array_of(part: &[u8]) -> (i64, &[u8]) {
    let (count, body) = line_of(part);
    (stoa_stdx::parse_int(count).expect("our encoder wrote the length"), body)
}

/// Length of the encoded element in front.
fn element_len(body: &[u8]) -> usize {
    // What nearly every element is, without the state that a reply in pieces would need.
    if body[0] == b'$' {
        let (len, rest) = line_of(body);
        let line = body.len() - rest.len();
        let len = stoa_stdx::parse_int(len).expect("our encoder wrote the length");
        return line + usize::try_from(len).map_or(0, |len| len + 2);
    }
    stoa_resp::Framer::new()
        .advance(body)
        .ok()
        .flatten()
        .expect("our encoder writes whole elements")
}
