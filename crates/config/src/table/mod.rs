//! The table: every directive once, in chapters by theme.
//!
//! The order here is the order of the documentation and of the default configuration. Directives
//! of Redis 7.4 whose feature does not exist here yet are rows too, so that clients, tools and
//! configuration files work; each says so with `.later()`, and that call is all there is to
//! remove when the feature arrives.

mod around;
mod data;
mod network;
mod persistence;
mod replication;

use crate::directive::Directive;

/// A chapter of the table.
#[derive(Clone, Copy, Debug)]
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// Its rows.
    pub directives: &'static [Directive],
}

/// The whole table.
pub static CHAPTERS: &[Chapter] = &[
    Chapter { title: "Shards and the driver", directives: network::STOA },
    Chapter { title: "Network", directives: network::NETWORK },
    Chapter { title: "HTTP and WebSocket", directives: network::HTTP },
    Chapter { title: "Clients", directives: network::CLIENTS },
    Chapter { title: "Security", directives: network::SECURITY },
    Chapter { title: "TLS", directives: network::TLS },
    Chapter { title: "Process", directives: around::PROCESS },
    Chapter { title: "Log", directives: around::LOG },
    Chapter { title: "What is observed", directives: around::OBSERVED },
    Chapter { title: "Keyspace and expiry", directives: data::KEYSPACE },
    Chapter { title: "Memory", directives: data::MEMORY },
    Chapter { title: "Encodings", directives: data::ENCODINGS },
    Chapter { title: "Scripts and modules", directives: data::SCRIPTS },
    Chapter { title: "Snapshots", directives: persistence::SNAPSHOTS },
    Chapter { title: "Append-only log", directives: persistence::APPEND_ONLY },
    Chapter { title: "Replication", directives: replication::REPLICATION },
    Chapter { title: "Cluster", directives: replication::CLUSTER },
    Chapter { title: "Test hooks", directives: around::TEST_HOOKS },
];

/// All rows, in order: the position is the directive's index everywhere in this crate.
pub fn directives() -> impl Iterator<Item = &'static Directive> + Clone {
    CHAPTERS.iter().flat_map(|chapter| chapter.directives)
}

/// The row called `name` (its own or its older name, in any case) and its index.
///
/// A linear search: only the start and CONFIG look anything up by name.
#[must_use]
pub fn find(name: &[u8]) -> Option<(usize, &'static Directive)> {
    let is = |own: &str| own.as_bytes().eq_ignore_ascii_case(name);
    directives().enumerate().find(|(_, row)| is(row.name) || row.alias.is_some_and(is))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::directives;
    use crate::directive::Kind;

    #[test]
    fn every_name_is_there_once_and_in_lower_case() {
        let mut seen = BTreeSet::new();
        for row in directives() {
            for name in [Some(row.name), row.alias].into_iter().flatten() {
                assert!(seen.insert(name), "{name} stands twice");
                assert_eq!(name, name.to_ascii_lowercase(), "{name}");
                assert!(!name.contains([' ', '*', '?', '[']), "{name}");
            }
        }
    }

    #[test]
    fn every_yaml_path_is_there_once_and_no_path_is_inside_another() {
        let paths: BTreeSet<_> = directives().map(|row| row.yaml_path).collect();
        assert_eq!(paths.len(), directives().count(), "two rows share a path");
        for (path, next) in paths.iter().zip(paths.iter().skip(1)) {
            assert!(!next.starts_with(&format!("{path}.")), "{path} is a value and a section");
            assert!(path.contains('.'), "{path} is in no section");
            assert!(
                path.bytes().all(|b| b.is_ascii_lowercase() || b"._0123456789".contains(&b)),
                "{path}"
            );
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for row in directives() {
            let value = row.kind.parse(&[row.default.as_bytes()], &row.kind.blank());
            assert!(value.is_ok(), "{}: {value:?}", row.name);
        }
    }

    #[test]
    fn every_row_is_documented_in_one_sentence() {
        for row in directives() {
            let name = row.name;
            assert!(row.doc.len() > 15, "{name}: too short to help");
            assert!(row.doc.ends_with('.'), "{name}: not a sentence");
            assert!(!row.doc.contains(['|', '\n']), "{name}: would break the table");
            assert!(row.doc.len() <= 260, "{name}: more than a sentence");
        }
    }

    #[test]
    fn secrets_are_texts_and_choices_fit_their_bits() {
        for row in directives() {
            assert!(!row.sensitive || row.kind == Kind::Text, "{}", row.name);
            assert!(row.kind.names().len() <= 16, "{}", row.name);
        }
    }
}
