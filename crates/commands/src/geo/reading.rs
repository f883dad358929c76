//! Points, distances and units as clients write them.

use stoa_command::{Args, ReplyError, parse_double};

use super::cell::is_on_map;
use super::shape::Extent;
use super::{Point, Wrong};

/// Longitude and latitude.
pub(super) fn point(args: &mut Args<'_>) -> Result<Point, Wrong> {
    let point = Point { lon: args.double()?, lat: args.double()? };
    if is_on_map(point) {
        return Ok(point);
    }
    let Point { lon, lat } = point;
    Err(Wrong::Text(format!("ERR invalid longitude,latitude pair {lon:.6},{lat:.6}")))
}

/// Metres of a unit.
pub(super) fn unit_m(word: &[u8]) -> Result<f64, ReplyError> {
    let units: [(&[u8], f64); 4] =
        [(b"m", 1.0), (b"km", 1_000.0), (b"ft", 0.3048), (b"mi", 1_609.34)];
    units
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, metres)| *metres)
        .ok_or(ReplyError::Text("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

fn number(text: &[u8], bad: &'static str) -> Result<f64, ReplyError> {
    parse_double(text).ok_or(ReplyError::Text(bad))
}

/// A radius with its unit.
pub(super) fn circle(args: &mut Args<'_>) -> Result<(Extent, f64), ReplyError> {
    let (radius, unit) = (args.bytes()?, args.bytes()?);
    let radius = number(radius, "ERR need numeric radius")?;
    if radius < 0.0 {
        return Err(ReplyError::Text("ERR radius cannot be negative"));
    }
    Ok((Extent::Circle { radius }, unit_m(unit)?))
}

/// Width and height with their unit.
pub(super) fn rectangle(args: &mut Args<'_>) -> Result<(Extent, f64), ReplyError> {
    let width = number(args.bytes()?, "ERR need numeric width")?;
    let height = number(args.bytes()?, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(ReplyError::Text("ERR height or width cannot be negative"));
    }
    Ok((Extent::Box { width, height }, unit_m(args.bytes()?)?))
}
