//! Cells: the earth halved by turns in longitude and latitude, up to 26 times each.
//!
//! A cell's number takes the bits of both by turns. Those of 26 halvings are the scores, and a larger
//! cell is a range of them. The bounds of the latitude are the square map's, except in the texts of
//! GEOHASH, which anybody may read.

use super::Point;

/// Halvings of a score.
pub(super) const STEP_MAX: u32 = 26;
const LON_MAX: f64 = 180.0;
/// Where a Mercator map of the earth is square.
const LAT_MAX: f64 = 85.051_128_78;

/// A cell of `step` halvings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    lon: u32,
    lat: u32,
    pub(super) step: u32,
}

/// The least and greatest degrees of a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) min: Point,
    pub(super) max: Point,
}

/// Whether there is such a place on the map.
pub(super) fn is_on_map(point: Point) -> bool {
    point.lon.abs() <= LON_MAX && point.lat.abs() <= LAT_MAX
}

/// The bits of `value` with room for another's between them.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Every other bit of `bits`.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

fn index(value: f64, max: f64, step: u32) -> u32 {
    ((value + max) / (2.0 * max) * f64::from(1_u32 << step)) as u32
}

impl Cell {
    /// The cell of a point.
    pub(super) fn of(point: Point, step: u32) -> Self {
        Self { lon: index(point.lon, LON_MAX, step), lat: index(point.lat, LAT_MAX, step), step }
    }

    fn bits(self) -> u64 {
        spread(self.lat) | spread(self.lon) << 1
    }

    /// The neighbour so many cells to the east and north; around the earth it goes on. Only what moves
    /// is brought back onto the map: a point on its very edge has a cell outside, as in the reference.
    pub(super) const fn beside(self, east: i32, north: i32) -> Self {
        let mask = (1 << self.step) - 1;
        let mut cell = self;
        if east != 0 {
            cell.lon = self.lon.wrapping_add_signed(east) & mask;
        }
        if north != 0 {
            cell.lat = self.lat.wrapping_add_signed(north) & mask;
        }
        cell
    }

    /// The scores inside: from the first to before the second.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEP_MAX - self.step);
        ((self.bits() << shift) as f64, ((self.bits() + 1) << shift) as f64)
    }

    /// Its bounds. A score that is no place's may have more bits than the map; they wrap.
    pub(super) fn area(self) -> Area {
        let cells = f64::from(1_u32 << self.step);
        let degrees = |index: u32, max: f64| -max + f64::from(index) / cells * (2.0 * max);
        Area {
            min: Point { lon: degrees(self.lon, LON_MAX), lat: degrees(self.lat, LAT_MAX) },
            max: Point {
                lon: degrees(self.lon.wrapping_add(1), LON_MAX),
                lat: degrees(self.lat.wrapping_add(1), LAT_MAX),
            },
        }
    }
}

/// The score of a point.
pub(super) fn score_of(point: Point) -> f64 {
    Cell::of(point, STEP_MAX).bits() as f64
}

/// The point of a score: the middle of its cell.
pub(super) fn point_of(score: f64) -> Point {
    let bits = bits_of(score);
    let area = Cell { lon: gather(bits >> 1), lat: gather(bits), step: STEP_MAX }.area();
    Point {
        lon: f64::midpoint(area.min.lon, area.max.lon).clamp(-LON_MAX, LON_MAX),
        lat: f64::midpoint(area.min.lat, area.max.lat).clamp(-LAT_MAX, LAT_MAX),
    }
}

/// A score as a whole number. Of one that is no place's, those of the reference's processor: below zero
/// it wraps.
fn bits_of(score: f64) -> u64 {
    const TOP: f64 = (1_u64 << 63) as f64;
    if score < TOP {
        return (score as i64).cast_unsigned();
    }
    let rest = score - TOP;
    if rest < TOP { (rest as u64) ^ (1 << 63) } else { 0 }
}

/// The text that geohash.org knows a point by: eleven letters, of which 52 bits fill ten.
pub(super) fn text_of(point: Point) -> [u8; 11] {
    const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let cell = Cell {
        lon: index(point.lon, LON_MAX, STEP_MAX),
        lat: index(point.lat, 90.0, STEP_MAX),
        step: STEP_MAX,
    };
    let mut text = [LETTERS[0]; 11];
    for (at, letter) in text[..10].iter_mut().enumerate() {
        *letter = LETTERS[(cell.bits() >> (52 - 5 * (at + 1))) as usize & 31];
    }
    text
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{Cell, gather, point_of, score_of, spread, text_of};
    use crate::geo::Point;

    #[test]
    fn a_point_comes_back_to_within_a_metre() {
        let mut rng = Rng::new(3);
        for _ in 0..1_000 {
            let value = rng.next() as u32;
            assert_eq!(gather(spread(value)), value);
            let point = Point {
                lon: rng.below(360_000) as f64 / 1_000.0 - 180.0,
                lat: rng.below(170_000) as f64 / 1_000.0 - 85.0,
            };
            let back = point_of(score_of(point));
            let error = (back.lon - point.lon).abs().max((back.lat - point.lat).abs());
            assert!(error < 1e-5, "{point:?} came back as {back:?}");
            let (from, to) = Cell::of(point, 9).scores();
            assert!((from..to).contains(&score_of(point)), "{point:?} is in its cell");
        }
    }

    #[test]
    fn any_score_is_somewhere_on_the_map() {
        for score in [f64::MAX, f64::INFINITY, 1.8e19, -1.0, f64::NEG_INFINITY, 9.2e18] {
            assert!(super::is_on_map(point_of(score)), "{score}");
        }
    }

    #[test]
    fn texts_are_the_known_ones() {
        let palermo = Point { lon: 13.361_389, lat: 38.115_556 };
        assert_eq!(&text_of(point_of(score_of(palermo))), b"sqc8b49rny0");
        assert_eq!(score_of(palermo), 3_479_099_956_230_698.0);
    }
}
