//! What a node knows about itself: counters, latency histograms and the INFO table.
//!
//! Plain data without clocks, threads or atomics. A shard owns its counters and adds to them; who
//! wants the whole asks each shard for a copy by mail and merges. So counting costs an addition.

mod commands;
mod counters;
mod errors;
mod histogram;
pub mod info;
mod rate;

pub use commands::{CommandStat, CommandStats};
pub use counters::Counters;
pub use errors::{ERROR_PREFIXES_MAX, ErrorStats, Tracking};
pub use histogram::{Histogram, HistogramRow};
pub use rate::{Rate, Rates};
