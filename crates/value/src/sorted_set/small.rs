//! A small sorted set: member, score, member, score in one packed buffer, in order.

use crate::{Packed, Place, Str};

/// The score in an element.
pub(super) fn score_of(text: Str<'_>) -> f64 {
    match text {
        Str::Int(value) => value as f64,
        Str::Bytes(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .expect("scores are written by ourselves"),
    }
}

/// The element of a score: an integer where it is one, else the shortest text that reads back.
fn text_of(score: f64) -> Vec<u8> {
    let mut text = Vec::with_capacity(24);
    // Minus zero is stored as the integer.
    stoa_stdx::write_double(&mut text, if score == 0.0 { 0.0 } else { score });
    text
}

/// A pair: where it begins, its member and score.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) place: Place,
    pub(super) member: Str<'a>,
    pub(super) score: f64,
}

fn pair_at(packed: &Packed, place: Place) -> Pair<'_> {
    let behind = packed.next(place).expect("a score stands behind each member");
    Pair { place, member: packed.get(place), score: score_of(packed.get(behind)) }
}

/// The pair behind one that begins at `place`.
pub(super) fn next(packed: &Packed, place: Place) -> Option<Place> {
    packed.next(packed.next(place)?)
}

/// The pair before the one that begins at `place`.
pub(super) fn prev(packed: &Packed, place: Place) -> Option<Place> {
    packed.prev(packed.prev(place)?)
}

/// All pairs from `place` on.
pub(super) fn pairs(packed: &Packed, place: Option<Place>) -> impl Iterator<Item = Pair<'_>> {
    std::iter::successors(place, |place| next(packed, *place)).map(|place| pair_at(packed, place))
}

pub(super) fn len(packed: &Packed) -> usize {
    packed.len() / 2
}

/// Where the pair of a rank begins.
pub(super) fn seek(packed: &Packed, rank: usize) -> Option<Place> {
    packed.seek(rank * 2)
}

pub(super) fn get(packed: &Packed, place: Place) -> (Str<'_>, f64) {
    let pair = pair_at(packed, place);
    (pair.member, pair.score)
}

pub(super) fn find(packed: &Packed, member: &[u8]) -> Option<Place> {
    packed.find(member, 2)
}

pub(super) fn score(packed: &Packed, member: &[u8]) -> Option<f64> {
    Some(pair_at(packed, find(packed, member)?).score)
}

pub(super) fn remove(packed: &mut Packed, place: Place) {
    packed.remove(place, 2);
}

/// Adds a member that is not there.
pub(super) fn insert_new(packed: &mut Packed, member: &[u8], score: f64) {
    let behind = pairs(packed, packed.first())
        .find(|pair| {
            pair.score > score || (pair.score == score && pair.member.with(|other| other > member))
        })
        .map(|pair| pair.place);
    let text = text_of(score);
    match behind {
        Some(place) => {
            packed.insert(place, &text);
            packed.insert(place, member);
        }
        None => {
            packed.push_back(member);
            packed.push_back(&text);
        }
    }
}
