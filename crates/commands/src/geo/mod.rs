//! Places on the earth: sorted sets whose scores are geohashes of 52 bits, so that what lies near each
//! other mostly is near each other in the order, too.

mod cell;
mod geoadd;
mod geopos;
mod reading;
mod search;
mod shape;

use stoa_command::{Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Entry, Reply, entry};
use stoa_stdx::format_double;

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<geoadd::GeoAdd>(),
    entry::<geopos::GeoDist>(),
    entry::<geopos::GeoHash>(),
    entry::<geopos::GeoPos>(),
    entry::<search::GeoRadius>(),
    entry::<search::GeoRadiusByMember>(),
    entry::<search::GeoRadiusByMemberRo>(),
    entry::<search::GeoRadiusRo>(),
    entry::<search::GeoSearch>(),
    entry::<search::GeoSearchStore>(),
];

/// What reads one set of places.
const READS: Spec = Spec {
    since: "3.2.0",
    group: Group::Geo,
    flags: Flags::READONLY,
    categories: &[Category::Geo],
    keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
    ..Spec::DEFAULT
};

/// What is wrong with a request, some of which repeats what the client wrote.
#[derive(Clone, Debug)]
enum Wrong {
    Error(ReplyError),
    Text(String),
}

impl From<ReplyError> for Wrong {
    fn from(error: ReplyError) -> Self {
        Self::Error(error)
    }
}

impl Wrong {
    fn answer(self, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        match self {
            Self::Error(error) => Err(error),
            Self::Text(text) => {
                reply.error_text(text.as_bytes());
                Ok(())
            }
        }
    }
}

/// A point: longitude, then latitude, degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    lon: f64,
    lat: f64,
}

/// Answers a point.
fn reply_point(point: Point, reply: &mut dyn Reply) {
    reply.array(2);
    for value in [point.lon, point.lat] {
        reply.double_digits(&format_double(value));
    }
}

/// Answers a distance, to a tenth of a millimetre if it is in metres.
fn reply_distance(distance: f64, reply: &mut dyn Reply) {
    reply.bulk(format!("{distance:.4}").as_bytes());
}
