//! Numbers out of INFO's page.

/// INFO as it came.
pub(crate) struct Info(String);

impl Info {
    pub(crate) fn new(page: &[u8]) -> Self {
        Self(String::from_utf8_lossy(page).into_owned())
    }

    /// A field's number; 0 if there is none, as in an older server.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let field = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        field.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    }

    /// Keys of all databases: the sum of `dbN:keys=...`.
    pub(crate) fn keys(&self) -> u64 {
        let of_line = |line: &str| {
            let (db, fields) = line.strip_prefix("db")?.split_once(":keys=")?;
            db.parse::<u32>().ok()?;
            fields.split(',').next()?.parse::<u64>().ok()
        };
        self.0.lines().filter_map(of_line).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Info;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let info = Info::new(
            b"# Memory\r\nused_memory:1024\r\nused_memory_rss:2048\r\n\r\n# Keyspace\r\n\
              db0:keys=3,expires=0,avg_ttl=0\r\ndb11:keys=4,expires=0\r\ndbx:keys=9\r\n",
        );
        assert_eq!(info.number("used_memory"), 1_024);
        assert_eq!(info.number("used_memory_rss"), 2_048);
        assert_eq!(info.number("used"), 0);
        assert_eq!(info.keys(), 7);
    }
}
