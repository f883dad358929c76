//! A configuration: one value for each row of the table, and the typed settings read from them.
//!
//! Values are the truth; [`Settings`] is what they mean to the code that acts on them, rebuilt
//! after every change so that the hot path reads plain fields. A clone shares the values, so
//! giving every shard its copy costs one reference count and the few typed fields.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use stoa_stdx::glob_match;

use crate::directive::{Directive, Mutability};
use crate::settings::Settings;
use crate::table;
use crate::value::Value;

/// One configuration. Reads like its [`Settings`]; changes go through [`Config::set`].
#[derive(Clone, Debug)]
pub struct Config {
    /// One for each row of the table.
    values: Arc<Vec<Value>>,
    settings: Settings,
}

/// Where a command comes from, as far as permissions of the kind `no|yes|local` care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A unix socket, the loopback network, or this process itself.
    Local,
    /// Another host.
    Remote,
}

/// Which directives a CONFIG SET changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed(Vec<&'static str>);

impl Changed {
    /// True if the directive `name` has a new value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// The directives with a new value.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}

/// Why a CONFIG SET was refused. The text is what the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// No such directive.
    Unknown {
        /// As the client wrote it.
        name: Vec<u8>,
    },
    /// The directive is there, the value does not fit or may not be set.
    Refused {
        /// As the client wrote it, or as the table does: whichever the reference repeats.
        name: Vec<u8>,
        /// What is wrong.
        reason: String,
    },
}

impl ConfigError {
    /// The text with the client's own bytes.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Unknown { name } => {
                let before = b"ERR Unknown option or number of arguments for CONFIG SET - '";
                [before, name.as_slice(), b"'"].concat()
            }
            Self::Refused { name, reason } => {
                let before = b"ERR CONFIG SET failed (possibly related to argument '";
                [before, name.as_slice(), b"') - ", reason.as_bytes()].concat()
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

impl std::error::Error for ConfigError {}

impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Default for Config {
    fn default() -> Self {
        let parse = |row: &Directive| {
            row.kind
                .parse(&[row.default.as_bytes()], &row.kind.blank())
                .unwrap_or_else(|reason| panic!("default of {}: {reason}", row.name))
        };
        Self::from_values(table::directives().map(parse).collect())
    }
}

impl Config {
    /// Name and value of what CONFIG GET answers to `patterns`, each once: globs list their
    /// matches in the order of the table; a full name is answered as it was asked for, and
    /// reaches hidden directives too.
    #[must_use]
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for &pattern in patterns {
            if is_glob(pattern) {
                let listed =
                    |(index, name): (usize, &str)| (name.as_bytes().to_vec(), self.print(index));
                let new: Vec<_> = listed_names()
                    .filter(|(_, name)| glob_match(pattern, name.as_bytes(), true))
                    .filter(|(_, name)| !found.iter().any(|(old, _)| old == name.as_bytes()))
                    .map(listed)
                    .collect();
                found.extend(new);
            } else if let Some((index, _)) = table::find(pattern)
                && !found.iter().any(|(old, _)| old == pattern)
            {
                found.push((pattern.to_vec(), self.print(index)));
            }
        }
        found
    }

    /// The value of one directive, as CONFIG GET prints it.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Vec<u8>> {
        table::find(name.as_bytes()).map(|(index, _)| self.print(index))
    }

    /// Sets all `pairs`, or none: everything is checked before anything is applied.
    ///
    /// # Errors
    ///
    /// Refuses unknown, repeated, immutable and protected directives and values that do not fit,
    /// in Redis's words.
    pub fn set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        origin: Origin,
    ) -> Result<Changed, ConfigError> {
        let rows = self.settable(pairs, origin)?;
        let mut values = (*self.values).clone();
        let mut changed = Changed::default();
        for (&(index, row), &(name, word)) in rows.iter().zip(pairs) {
            let value = row.kind.parse(&[word], &values[index]).map_err(|reason| {
                // Of the two names the one that was meant, as the table spells it.
                let alias = row.alias.filter(|alias| name.eq_ignore_ascii_case(alias.as_bytes()));
                ConfigError::Refused { name: alias.unwrap_or(row.name).into(), reason }
            })?;
            if values[index] != value {
                values[index] = value;
                changed.0.push(row.name);
            }
        }
        *self = Self::from_values(values);
        Ok(changed)
    }

    /// Sets one directive whether it may be set or not: for what only the start finds out, such as
    /// the absolute `dir`, or the `port` that the kernel chose.
    ///
    /// # Errors
    ///
    /// Refuses an unknown directive and a value that does not fit.
    pub fn settle(&mut self, name: &str, value: &[u8]) -> Result<(), ConfigError> {
        let Some((index, row)) = table::find(name.as_bytes()) else {
            return Err(ConfigError::Unknown { name: name.into() });
        };
        let mut values = (*self.values).clone();
        values[index] = row
            .kind
            .parse(&[value], &values[index])
            .map_err(|reason| ConfigError::Refused { name: name.into(), reason })?;
        *self = Self::from_values(values);
        Ok(())
    }

    /// Directives with a value that is not the default and that nothing acts on yet: worth a
    /// line in the log at the start.
    pub fn without_effect(&self) -> impl Iterator<Item = &'static Directive> {
        let default = Self::default();
        table::directives()
            .enumerate()
            .filter(move |(index, row)| !row.acts && self.values[*index] != default.values[*index])
            .map(|(_, row)| row)
            // It has a line of its own, below.
            .filter(|row| row.name != "save")
    }

    /// What the log says at the start where something is promised by a value, if only the default, that
    /// nobody keeps yet and that keys hang on.
    pub fn cautions(&self) -> impl Iterator<Item = &'static str> {
        let is = |name: &[u8], no: &[u8]| {
            table::find(name).is_some_and(|(index, _)| self.print(index) != no)
        };
        let saves = is(b"save", b"").then_some(
            "nothing is saved to disk yet: all keys are gone when the process ends ('save \"\"' says \
             that this is known)",
        );
        let evicts = (self.maxmemory > 0 && is(b"maxmemory-policy", b"noeviction")).then_some(
            "no key is evicted yet: at 'maxmemory' writes are refused, whatever 'maxmemory-policy' says",
        );
        saves.into_iter().chain(evicts)
    }

    /// The rows of `pairs`, if all may be set from `origin`.
    fn settable(
        &self,
        pairs: &[(&[u8], &[u8])],
        origin: Origin,
    ) -> Result<Vec<(usize, &'static Directive)>, ConfigError> {
        let mut rows: Vec<(usize, &'static Directive)> = Vec::with_capacity(pairs.len());
        for &(name, _) in pairs {
            let Some((index, row)) = table::find(name) else {
                return Err(ConfigError::Unknown { name: echoed(name) });
            };
            let reason = match row.mutability {
                _ if rows.iter().any(|&(other, _)| other == index) => Some("duplicate parameter"),
                Mutability::Immutable => Some("can't set immutable config"),
                Mutability::Protected if !self.enable_protected_configs.allows(origin) => {
                    Some("can't set protected config")
                }
                Mutability::Mutable | Mutability::Protected => None,
            };
            if let Some(reason) = reason {
                let reason = reason.to_owned();
                return Err(ConfigError::Refused { name: echoed(name), reason });
            }
            rows.push((index, row));
        }
        Ok(rows)
    }

    pub(crate) fn from_values(values: Vec<Value>) -> Self {
        let settings = Settings::of(&|name: &str| {
            let (index, _) = table::find(name.as_bytes())
                .unwrap_or_else(|| panic!("no directive is called {name}"));
            &values[index]
        });
        Self { values: Arc::new(values), settings }
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    fn print(&self, index: usize) -> Vec<u8> {
        let row = table::directives().nth(index).expect("a value for each row");
        self.values[index].print(row.kind)
    }
}

/// All names that patterns can find, with the index of their row.
fn listed_names() -> impl Iterator<Item = (usize, &'static str)> {
    table::directives().enumerate().filter(|(_, row)| !row.hidden).flat_map(|(index, row)| {
        [Some(row.name), row.alias].into_iter().flatten().map(move |name| (index, name))
    })
}

fn is_glob(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| b"[*?".contains(byte))
}

/// A client's word in an error text ends where a C string would.
fn echoed(name: &[u8]) -> Vec<u8> {
    name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{Config, Origin};

    fn set(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
        config
            .set(&[(name.as_bytes(), value.as_bytes())], Origin::Remote)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_change_shows_in_the_settings_and_in_what_changed() {
        let mut config = Config::default();
        let pairs: [(&[u8], &[u8]); 3] =
            [(b"maxclients", b"7"), (b"TIMEOUT", b"3"), (b"hz", b"10")];
        let changed = config.set(&pairs, Origin::Remote).expect("valid");
        assert_eq!(changed.names().collect::<Vec<_>>(), ["maxclients", "timeout"]);
        assert!(changed.has("timeout") && !changed.has("hz"), "hz had that value before");
        assert_eq!((config.maxclients, config.timeout_s), (7, 3));
    }

    #[test]
    fn either_all_of_a_set_is_applied_or_nothing() {
        let mut config = Config::default();
        let before = config.get(&[b"*"]);
        let pairs: [(&[u8], &[u8]); 2] = [(b"maxclients", b"7"), (b"timeout", b"x")];
        config.set(&pairs, Origin::Remote).expect_err("no number");
        assert_eq!(config.get(&[b"*"]), before);
        assert_eq!(config.maxclients, 10_000);
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut config = Config::default();
        let shard_copy = config.clone();
        set(&mut config, "maxclients", "7").expect("valid");
        assert_eq!((config.maxclients, shard_copy.maxclients), (7, 10_000));
        assert_eq!(shard_copy.value("maxclients"), Some(b"10000".to_vec()));
    }

    #[test]
    fn protected_directives_ask_where_the_client_comes_from() {
        let dir: [(&[u8], &[u8]); 1] = [(b"dir", b"/data")];
        for (permission, local, remote) in
            [("no", false, false), ("yes", true, true), ("local", true, false)]
        {
            let mut config = Config::default();
            config.settle("enable-protected-configs", permission.as_bytes()).expect("a choice");
            assert_eq!(config.set(&dir, Origin::Local).is_ok(), local, "{permission}");
            assert_eq!(config.set(&dir, Origin::Remote).is_ok(), remote, "{permission}");
        }
    }

    #[test]
    fn patterns_list_both_names_once_and_no_hidden_ones() {
        let config = Config::default();
        let names = |patterns: &[&[u8]]| -> Vec<String> {
            let found = config.get(patterns).into_iter();
            found.map(|(name, _)| String::from_utf8(name).expect("ASCII")).collect()
        };
        assert_eq!(
            names(&[b"*ZSET-max-*-value"]),
            ["zset-max-listpack-value", "zset-max-ziplist-value"]
        );
        assert_eq!(names(&[b"maxm*ry", b"maxmemory", b"maxmem?ry"]), ["maxmemory"]);
        assert_eq!(names(&[b"MaxMemory"]), ["MaxMemory"], "as it was asked for");
        assert_eq!(names(&[b"key-load-dela?"]), [""; 0]);
        assert_eq!(names(&[b"key-load-delay"]), ["key-load-delay"]);
        assert_eq!(names(&[b"nothing", b"x*y"]), [""; 0]);
    }

    #[test]
    fn an_error_repeats_the_name_as_the_client_wrote_it_up_to_a_zero_byte() {
        let mut config = Config::default();
        let error = config.set(&[(b"a\xff\0b", b"1")], Origin::Local).expect_err("unknown");
        let want = b"ERR Unknown option or number of arguments for CONFIG SET - 'a\xff'";
        assert_eq!(error.text(), want);
    }

    #[test]
    fn what_has_no_effect_yet_can_be_told_at_the_start() {
        let mut config = Config::default();
        set(&mut config, "maxclients", "5").expect("valid");
        assert_eq!(config.without_effect().count(), 0);
        set(&mut config, "rdb-del-sync-files", "yes").expect("valid");
        let names: Vec<_> = config.without_effect().map(|row| row.name).collect();
        assert_eq!(names, ["rdb-del-sync-files"]);
    }
}
