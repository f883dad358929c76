//! `--bigkeys`, `--memkeys`: the largest key of each type, and what all of them hold.

use std::process::ExitCode;

use stoa_client::Value;

use crate::modes::scan::Walk;
use crate::options::Measure;
use crate::quote::quote;
use crate::session::{Failure, Outcome, Session, print};

/// Calls of SCAN after which `-i` pauses.
const PAUSE_EVERY: u64 = 100;

/// Keys after which progress is told even if no larger key was found.
const TELL_EVERY: u64 = 1_000_000;

/// The types there are, the command that measures each, and what it counts.
const TYPES: [(&str, &str, &str); 6] = [
    ("list", "LLEN", "items"),
    ("hash", "HLEN", "fields"),
    ("string", "STRLEN", "bytes"),
    ("stream", "XLEN", "entries"),
    ("set", "SCARD", "members"),
    ("zset", "ZCARD", "members"),
];

/// What was found of one type.
struct Kind {
    name: String,
    /// Empty for a type this client does not know, of which only memory can be measured.
    size_command: &'static str,
    unit: &'static str,
    biggest: Option<(Vec<u8>, u64)>,
    count: u64,
    size_sum: u64,
}

/// All that was found.
struct Census {
    measure: Measure,
    kinds: Vec<Kind>,
    sampled: u64,
    key_bytes_sum: u64,
}

/// Walks over all keys and prints as it finds.
pub(crate) fn run(session: &mut Session, measure: Measure) -> Outcome {
    print(
        b"\n# Scanning the entire keyspace to find biggest keys as well as\n\
          # average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec\n\
          # per 100 SCAN commands (not usually needed).\n\n",
    );
    let keys_total = match session.must(&["DBSIZE"])? {
        Value::Int(keys) => keys as f64,
        _ => return Err(Failure("Non INTEGER response from DBSIZE!".to_owned())),
    };
    let mut census = Census::new(measure);
    let (mut walk, mut calls) = (Walk::default(), 0_u64);
    while let Some(keys) = walk.next(session)? {
        let percent =
            if keys_total > 0.0 { 100.0 * census.sampled as f64 / keys_total } else { 0.0 };
        census.add(session, keys, percent)?;
        calls += 1;
        if calls.is_multiple_of(PAUSE_EVERY) {
            std::thread::sleep(session.options.interval);
        }
    }
    print(census.summary().as_slice());
    Ok(ExitCode::SUCCESS)
}

impl Census {
    fn new(measure: Measure) -> Self {
        let kinds = TYPES.iter().map(|&(name, size_command, unit)| Kind {
            name: name.to_owned(),
            size_command,
            unit: if measure == Measure::Elements { unit } else { "bytes" },
            biggest: None,
            count: 0,
            size_sum: 0,
        });
        Self { measure, kinds: kinds.collect(), sampled: 0, key_bytes_sum: 0 }
    }

    /// Measures some keys; `percent` of all were measured before.
    fn add(
        &mut self,
        session: &mut Session,
        keys: Vec<Vec<u8>>,
        percent: f64,
    ) -> Result<(), Failure> {
        let requests: Vec<_> = keys.iter().map(|key| vec![b"TYPE".to_vec(), key.clone()]).collect();
        let types = session.connect()?.pipeline(&requests)?;
        let mut measured = Vec::new();
        for (key, kind) in keys.into_iter().zip(types) {
            // A key that is gone again has no type and is not counted.
            if let Some(kind) = self.kind_of(&kind).filter(|&kind| self.kinds[kind].name != "none")
            {
                measured.push((key, kind));
            }
        }
        let requests: Vec<_> =
            measured.iter().map(|(key, kind)| self.size_request(key, *kind)).collect();
        let sizes = session.connect()?.pipeline(&requests)?;
        for ((key, kind), size) in measured.into_iter().zip(sizes) {
            let Value::Int(size) = size else { continue };
            self.count(key, kind, u64::try_from(size).unwrap_or(0), percent);
        }
        Ok(())
    }

    /// Which of the kinds TYPE answered; a new one if a module brought its own.
    fn kind_of(&mut self, reply: &Value) -> Option<usize> {
        let name = String::from_utf8_lossy(reply.as_bytes()?).into_owned();
        let known = self.kinds.iter().position(|kind| kind.name == name);
        Some(known.unwrap_or_else(|| {
            let unit = if self.measure == Measure::Elements { "?" } else { "bytes" };
            let kind = Kind { name, size_command: "", unit, biggest: None, count: 0, size_sum: 0 };
            self.kinds.push(kind);
            self.kinds.len() - 1
        }))
    }

    fn size_request(&self, key: &[u8], kind: usize) -> Vec<Vec<u8>> {
        let words: &[&[u8]] = match self.measure {
            // EXISTS: a type that cannot be measured counts its keys.
            Measure::Elements => match self.kinds[kind].size_command {
                "" => &[b"EXISTS", key],
                command => &[command.as_bytes(), key],
            },
            Measure::Memory { samples: None } => &[b"MEMORY", b"USAGE", key],
            Measure::Memory { samples: Some(samples) } => {
                &[b"MEMORY", b"USAGE", key, b"SAMPLES", &samples.to_string().into_bytes()]
            }
        };
        words.iter().map(|word| word.to_vec()).collect()
    }

    fn count(&mut self, key: Vec<u8>, kind: usize, size: u64, percent: f64) {
        self.sampled += 1;
        self.key_bytes_sum += key.len() as u64;
        let kind = &mut self.kinds[kind];
        kind.count += 1;
        kind.size_sum += size;
        let biggest = kind.biggest.as_ref().map_or(0, |&(_, size)| size);
        if size > biggest {
            let mut line =
                format!("[{percent:05.2}%] Biggest {:<6} found so far '", kind.name).into_bytes();
            quote(&mut line, &key);
            line.extend_from_slice(format!("' with {size} {}\n", kind.unit).as_bytes());
            print(&line);
            kind.biggest = Some((key, size));
        }
        if self.sampled.is_multiple_of(TELL_EVERY) {
            print(format!("[{percent:05.2}%] Sampled {} keys so far\n", self.sampled).as_bytes());
        }
    }

    fn summary(&self) -> Vec<u8> {
        let mean = |sum: u64, count: u64| if count == 0 { 0.0 } else { sum as f64 / count as f64 };
        let mut out = format!(
            "\n-------- summary -------\n\nSampled {} keys in the keyspace!\n\
             Total key length in bytes is {} (avg len {:.2})\n\n",
            self.sampled,
            self.key_bytes_sum,
            mean(self.key_bytes_sum, self.sampled),
        )
        .into_bytes();
        for kind in &self.kinds {
            if let Some((key, size)) = &kind.biggest {
                out.extend_from_slice(format!("Biggest {:>6} found '", kind.name).as_bytes());
                quote(&mut out, key);
                out.extend_from_slice(format!("' has {size} {}\n", kind.unit).as_bytes());
            }
        }
        out.push(b'\n');
        for Kind { name, unit, count, size_sum, .. } in &self.kinds {
            // `hashs` is what redis-cli says, and scripts look for.
            let line = format!(
                "{count} {name}s with {size_sum} {unit} ({:05.2}% of keys, avg size {:.2})\n",
                100.0 * mean(*count, self.sampled),
                mean(*size_sum, *count),
            );
            out.extend_from_slice(line.as_bytes());
        }
        out
    }
}
