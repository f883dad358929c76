//! `--stat`: a line of figures every second, or every interval.

use std::time::Duration;

use crate::modes::info::Info;
use crate::session::{Failure, Outcome, Session, print};

/// Lines after which the heading is printed again.
const PAGE_LEN: u64 = 20;

const HEADING: &str = "\
------- data ------ --------------------- load -------------------- - child -
keys       mem      clients blocked requests            connections          
";

/// Prints until the connection ends.
pub(crate) fn run(session: &mut Session) -> Outcome {
    let interval = session.options.interval;
    let interval = if interval.is_zero() { Duration::from_secs(1) } else { interval };
    let mut requests_before = None;
    for line in 0.. {
        let reply = session.must(&["INFO"])?;
        let Some(page) = reply.as_bytes() else {
            return Err(Failure("Error: INFO answered no text".to_owned()));
        };
        let info = Info::new(page);
        let heading = if line % PAGE_LEN == 0 { HEADING } else { "" };
        let requests = info.number("total_commands_processed");
        let since = requests - requests_before.unwrap_or(requests).min(requests);
        requests_before = Some(requests);
        print(format!("{heading}{}", figures(&info, since)).as_bytes());
        std::thread::sleep(interval);
    }
    unreachable!("the lines do not end")
}

fn figures(info: &Info, requests_since: u64) -> String {
    let requests = format!("{} (+{requests_since})", info.number("total_commands_processed"));
    let mut children = Vec::new();
    for (field, name) in [
        ("rdb_bgsave_in_progress", "SAVE"),
        ("aof_rewrite_in_progress", "AOF"),
        ("loading", "LOAD"),
    ] {
        if info.number(field) != 0 {
            children.push(name);
        }
    }
    format!(
        "{:<11}{:<9}{:<8}{:<8}{requests:<20}{:<12}{}\n",
        info.keys(),
        human_bytes(info.number("used_memory")),
        info.number("connected_clients"),
        info.number("blocked_clients"),
        info.number("total_connections_received"),
        children.join("+"),
    )
}

fn human_bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "K", "M"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes}B") } else { format!("{size:.2}{unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.2}G")
}

#[cfg(test)]
mod tests {
    use super::{figures, human_bytes};
    use crate::modes::info::Info;

    #[test]
    fn a_line_stands_under_its_heading() {
        let info = Info::new(
            b"db0:keys=7,expires=0\r\nused_memory:2254438\r\nconnected_clients:1\r\n\
              total_commands_processed:1234\r\ntotal_connections_received:511\r\nloading:1\r\n",
        );
        let want = "7          2.15M    1       0       1234 (+0)           511         LOAD\n";
        assert_eq!(figures(&info, 0), want);
    }

    #[test]
    fn sizes_have_a_unit() {
        let sizes = [(0, "0B"), (1_023, "1023B"), (1_024, "1.00K"), (1 << 31, "2.00G")];
        for (bytes, want) in sizes {
            assert_eq!(human_bytes(bytes), want);
        }
    }
}
