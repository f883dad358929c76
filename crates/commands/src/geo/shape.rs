//! What a search looks in: a circle or a box around a point, and the cells that cover it.

use super::Point;
use super::cell::{Cell, STEP_MAX};

/// Metres from the middle of the earth to its surface, as the reference takes it.
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
/// Half of the earth's girth on the map.
const MERCATOR_MAX_M: f64 = 20_037_726.37;

/// A shape around its middle, in the client's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Extent {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// Where a search looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) middle: Point,
    pub(super) extent: Extent,
    /// Metres of the client's unit.
    pub(super) unit_m: f64,
}

/// Metres between two latitudes.
fn lat_distance_m(a: f64, b: f64) -> f64 {
    EARTH_RADIUS_M * (b.to_radians() - a.to_radians()).abs()
}

/// Metres between two points, on a great circle.
pub(super) fn distance_m(a: Point, b: Point) -> f64 {
    let v = ((b.lon.to_radians() - a.lon.to_radians()) / 2.0).sin();
    // On one meridian there is less to compute.
    if v == 0.0 {
        return lat_distance_m(a.lat, b.lat);
    }
    let (lat_a, lat_b) = (a.lat.to_radians(), b.lat.to_radians());
    let u = ((lat_b - lat_a) / 2.0).sin();
    let part = u * u + lat_a.cos() * lat_b.cos() * v * v;
    2.0 * EARTH_RADIUS_M * part.sqrt().asin()
}

impl Shape {
    /// The distance of a point that is inside, metres.
    pub(super) fn distance_inside_m(&self, point: Point) -> Option<f64> {
        match self.extent {
            Extent::Circle { radius } => {
                let distance = distance_m(self.middle, point);
                (distance <= radius * self.unit_m).then_some(distance)
            }
            Extent::Box { width, height } => {
                // The latitude is the cheaper one to tell.
                let is_inside = lat_distance_m(point.lat, self.middle.lat)
                    <= height * self.unit_m / 2.0
                    && distance_m(point, Point { lat: point.lat, ..self.middle })
                        <= width * self.unit_m / 2.0;
                is_inside.then(|| distance_m(self.middle, point))
            }
        }
    }

    /// The least and greatest degrees that are inside.
    fn bounds(&self) -> (Point, Point) {
        let (width, height) = match self.extent {
            Extent::Circle { radius } => (radius, radius),
            Extent::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let Point { lon, lat } = self.middle;
        let lat_delta = (height * self.unit_m / EARTH_RADIUS_M).to_degrees();
        // Degrees are shortest on the side of the nearer pole.
        let widest = if lat < 0.0 { lat - lat_delta } else { lat + lat_delta };
        let lon_delta =
            (width * self.unit_m / EARTH_RADIUS_M / widest.to_radians().cos()).to_degrees();
        (
            Point { lon: lon - lon_delta, lat: lat - lat_delta },
            Point { lon: lon + lon_delta, lat: lat + lat_delta },
        )
    }

    /// How often to halve the earth for cells as large as the shape.
    fn step(&self) -> u32 {
        let reach = match self.extent {
            Extent::Circle { radius } => radius,
            Extent::Box { width, height } => (width / 2.0).hypot(height / 2.0),
        };
        let mut reach_m = reach * self.unit_m;
        if reach_m == 0.0 {
            return STEP_MAX;
        }
        let mut step = 1;
        while reach_m < MERCATOR_MAX_M {
            reach_m *= 2.0;
            step += 1;
        }
        // Two more than covers most; towards the poles cells are narrower.
        step -= 2;
        let lat = self.middle.lat.abs();
        step -= i32::from(lat > 66.0) + i32::from(lat > 80.0);
        step.clamp(1, STEP_MAX as i32) as u32
    }

    /// The cells that cover the shape, the middle one first.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let (min, max) = self.bounds();
        let mut middle = Cell::of(self.middle, self.step());
        let is_covered = |cell: Cell| {
            cell.beside(0, 1).area().max.lat >= max.lat
                && cell.beside(0, -1).area().min.lat <= min.lat
                && cell.beside(1, 0).area().max.lon >= max.lon
                && cell.beside(-1, 0).area().min.lon <= min.lon
        };
        if middle.step > 1 && !is_covered(middle) {
            middle = Cell::of(self.middle, middle.step - 1);
        }
        let area = middle.area();
        let is_useless = |east: i32, north: i32| {
            // Of four cells, each may be a neighbour on either side.
            middle.step >= 2
                && ((north < 0 && area.min.lat < min.lat)
                    || (north > 0 && area.max.lat > max.lat)
                    || (east < 0 && area.min.lon < min.lon)
                    || (east > 0 && area.max.lon > max.lon))
        };
        let mut cells = vec![middle];
        for (east, north) in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]
        {
            let cell = middle.beside(east, north);
            // Huge shapes meet the same cell on both ways around the earth.
            if !is_useless(east, north) && !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells
    }
}
