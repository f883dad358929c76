//! GEOPOS, GEOHASH and GEODIST: where members are, and how far apart.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::SortedSet;

use super::cell::{point_of, text_of};
use super::shape::distance_m;
use super::{READS, reading, reply_distance, reply_point};
use crate::define::define;

define! { "`GEOPOS key [member [member ...]]`", GeoPos, Members, members, positions, Spec {
    name: "geopos",
    summary: "Returns the places of members, as longitude and latitude.",
    syntax: "key [member...]",
    arity: Arity(-2),
    ..READS
}}

define! { "`GEOHASH key [member [member ...]]`", GeoHash, Members, members, hashes, Spec {
    name: "geohash",
    summary: "Returns the places of members as geohash texts.",
    syntax: "key [member...]",
    arity: Arity(-2),
    ..READS
}}

define! { "`GEODIST key member1 member2 [M | KM | FT | MI]`", GeoDist, DistArgs, parse, distance, Spec {
    name: "geodist",
    summary: "Returns the distance of two members.",
    syntax: "key member1 member2 [unit: M | KM | FT | MI]",
    arity: Arity(-4),
    ..READS
}}

/// A key and members of it.
pub struct Members<'a> {
    key: &'a [u8],
    members: &'a [&'a [u8]],
}

/// The arguments of GEODIST.
pub struct DistArgs<'a> {
    key: &'a [u8],
    from: &'a [u8],
    to: &'a [u8],
    unit_m: f64,
}

fn members<'a>(args: &mut Args<'a>) -> Result<Members<'a>, ReplyError> {
    Ok(Members { key: args.bytes()?, members: args.rest() })
}

fn parse<'a>(args: &mut Args<'a>) -> Result<DistArgs<'a>, ReplyError> {
    let (key, from, to) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let unit_m = match args.left() {
        0 => 1.0,
        1 => reading::unit_m(args.bytes()?)?,
        _ => return Err(ReplyError::Syntax),
    };
    Ok(DistArgs { key, from, to, unit_m })
}

fn positions(
    args: Members<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let set = ctx.read::<SortedSet>(args.key)?;
    reply.array(args.members.len());
    for member in args.members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply_point(point_of(score), reply),
            None => reply.null_array(),
        }
    }
    Ok(())
}

fn hashes(args: Members<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let set = ctx.read::<SortedSet>(args.key)?;
    reply.array(args.members.len());
    for member in args.members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply.bulk(&text_of(point_of(score))),
            None => reply.null(),
        }
    }
    Ok(())
}

fn distance(
    args: DistArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let set = ctx.read::<SortedSet>(args.key)?;
    match set.and_then(|set| set.score(args.from).zip(set.score(args.to))) {
        Some((from, to)) => {
            reply_distance(distance_m(point_of(from), point_of(to)) / args.unit_m, reply);
        }
        None => reply.null(),
    }
    Ok(())
}
