//! The commands used daily, with types.

use std::time::Duration;

use crate::{Error, Reply, Scan, Session};

/// When a key is to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// After this long.
    In(Duration),
    /// At this moment, milliseconds since 1970.
    AtUnixMs(u64),
    /// As before.
    Keep,
}

/// What SET may be told besides key and value.
///
/// ```
/// use std::time::Duration;
/// use stoa::{Expiry, SetOptions};
/// let db = stoa::Db::open_memory()?;
/// let locked = SetOptions { only_new: true, expiry: Some(Expiry::In(Duration::from_secs(10))), ..SetOptions::default() };
/// assert!(db.set_with(b"lock", b"me", locked)?);
/// assert!(!db.set_with(b"lock", b"you", locked)?);
/// # Ok::<(), stoa::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// Only if the key is not there (NX).
    pub only_new: bool,
    /// Only if it is (XX).
    pub only_old: bool,
    /// When it is to be gone; never, if nothing is said.
    pub expiry: Option<Expiry>,
}

impl Session {
    /// The value of a string; [`None`] if it is not there.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.get(b"k")?, None);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.execute(&[b"GET", key])?.bytes_or_null()
    }

    /// Sets a string, whatever was there.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.set(b"k", b"v")?;
    /// assert_eq!(db.get(b"k")?, Some(b"v".to_vec()));
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.execute(&[b"SET", key, value])?.ok()
    }

    /// Sets a string that is gone after `time`.
    ///
    /// ```
    /// use std::time::Duration;
    /// let db = stoa::Db::open_memory()?;
    /// db.set_ex(b"k", b"v", Duration::from_secs(60))?;
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`]; a time of less than a millisecond is refused.
    pub fn set_ex(&self, key: &[u8], value: &[u8], time: Duration) -> Result<(), Error> {
        self.execute(&[b"PSETEX", key, time.as_millis().to_string().as_bytes(), value])?.ok()
    }

    /// Sets a string under conditions. False if a condition did not hold.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn set_with(&self, key: &[u8], value: &[u8], options: SetOptions) -> Result<bool, Error> {
        let mut argv: Vec<&[u8]> = vec![b"SET", key, value];
        let number;
        if options.only_new {
            argv.push(b"NX");
        }
        if options.only_old {
            argv.push(b"XX");
        }
        match options.expiry {
            None => {}
            Some(Expiry::Keep) => argv.push(b"KEEPTTL"),
            Some(Expiry::In(time)) => {
                number = time.as_millis().to_string();
                argv.extend([b"PX".as_slice(), number.as_bytes()]);
            }
            Some(Expiry::AtUnixMs(at)) => {
                number = at.to_string();
                argv.extend([b"PXAT".as_slice(), number.as_bytes()]);
            }
        }
        match self.execute(&argv)? {
            Reply::Null => Ok(false),
            reply => reply.ok().map(|()| true),
        }
    }

    /// Sets a string and gives the one that was there.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.get_set(b"k", b"1")?, None);
    /// assert_eq!(db.get_set(b"k", b"2")?, Some(b"1".to_vec()));
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn get_set(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.execute(&[b"SET", key, value, b"GET"])?.bytes_or_null()
    }

    /// Removes a string and gives it.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.set(b"k", b"v")?;
    /// assert_eq!(db.get_del(b"k")?, Some(b"v".to_vec()));
    /// assert_eq!(db.get_del(b"k")?, None);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn get_del(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.execute(&[b"GETDEL", key])?.bytes_or_null()
    }

    /// The strings of several keys.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.mset(&[(b"a", b"1"), (b"b", b"2")])?;
    /// assert_eq!(db.mget(&[b"a", b"x", b"b"])?, [Some(b"1".to_vec()), None, Some(b"2".to_vec())]);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn mget(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let all = self.execute(&with_keys(b"MGET", keys))?.array()?;
        all.into_iter().map(Reply::bytes_or_null).collect()
    }

    /// Sets several strings.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.mset(&[(b"a", b"1"), (b"b", b"2")])?;
    /// assert_eq!(db.get(b"b")?, Some(b"2".to_vec()));
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn mset(&self, pairs: &[(&[u8], &[u8])]) -> Result<(), Error> {
        let mut argv: Vec<&[u8]> = vec![b"MSET"];
        pairs.iter().for_each(|(key, value)| argv.extend([key, value]));
        self.execute(&argv)?.ok()
    }

    /// Adds to a string's end; gives its length then.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.append(b"k", b"ab")?, 2);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn append(&self, key: &[u8], value: &[u8]) -> Result<u64, Error> {
        self.execute(&[b"APPEND", key, value])?.count()
    }

    /// The length of a string.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.strlen(b"k")?, 0);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn strlen(&self, key: &[u8]) -> Result<u64, Error> {
        self.execute(&[b"STRLEN", key])?.count()
    }

    /// Adds one to a number; gives it.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.incr(b"n")?, 1);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn incr(&self, key: &[u8]) -> Result<i64, Error> {
        self.execute(&[b"INCR", key])?.int()
    }

    /// Adds to a number; gives it.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.incr_by(b"n", -5)?, -5);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn incr_by(&self, key: &[u8], by: i64) -> Result<i64, Error> {
        self.execute(&[b"INCRBY", key, by.to_string().as_bytes()])?.int()
    }

    /// Removes keys; gives how many were there.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.set(b"a", b"1")?;
    /// assert_eq!(db.del(&[b"a", b"b"])?, 1);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn del(&self, keys: &[&[u8]]) -> Result<u64, Error> {
        self.execute(&with_keys(b"DEL", keys))?.count()
    }

    /// How many of these keys are there.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.set(b"a", b"1")?;
    /// assert_eq!(db.exists(&[b"a", b"b"])?, 1);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn exists(&self, keys: &[&[u8]]) -> Result<u64, Error> {
        self.execute(&with_keys(b"EXISTS", keys))?.count()
    }

    /// Lets a key be gone after `time`. False if it is not there.
    ///
    /// ```
    /// use std::time::Duration;
    /// let db = stoa::Db::open_memory()?;
    /// db.set(b"k", b"v")?;
    /// assert!(db.expire(b"k", Duration::from_secs(60))?);
    /// assert!(!db.expire(b"nothing", Duration::from_secs(60))?);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn expire(&self, key: &[u8], time: Duration) -> Result<bool, Error> {
        let ms = time.as_millis().to_string();
        Ok(self.execute(&[b"PEXPIRE", key, ms.as_bytes()])?.int()? == 1)
    }

    /// Lets a key stay. False if it was going to anyway, or is not there.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert!(!db.persist(b"k")?);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn persist(&self, key: &[u8]) -> Result<bool, Error> {
        Ok(self.execute(&[b"PERSIST", key])?.int()? == 1)
    }

    /// How long a key will stay; [`None`] if it is not there or stays for good.
    ///
    /// ```
    /// use std::time::Duration;
    /// let clock = stoa::ManualClock::at_unix_ms(1_700_000_000_000);
    /// let db = stoa::Db::builder().clock(clock).open_memory()?;
    /// db.set_ex(b"k", b"v", Duration::from_secs(60))?;
    /// assert_eq!(db.ttl(b"k")?, Some(Duration::from_secs(60)));
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn ttl(&self, key: &[u8]) -> Result<Option<Duration>, Error> {
        let ms = self.execute(&[b"PTTL", key])?.int()?;
        Ok(u64::try_from(ms).ok().map(Duration::from_millis))
    }

    /// All keys that match a glob, at once. [`Session::scan`] is kinder to large databases.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.mset(&[(b"a:1", b""), (b"b:1", b"")])?;
    /// assert_eq!(db.keys(b"a:*")?, [b"a:1".to_vec()]);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn keys(&self, pattern: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let all = self.execute(&[b"KEYS", pattern])?.array()?;
        all.into_iter().map(Reply::bytes).collect()
    }

    /// All keys, step by step.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// db.mset(&[(b"a:1", b""), (b"a:2", b""), (b"b:1", b"")])?;
    /// let mut keys: Vec<_> = db.scan().matching(b"a:*").collect::<Result<_, _>>()?;
    /// keys.sort();
    /// assert_eq!(keys, [b"a:1".to_vec(), b"a:2".to_vec()]);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    pub fn scan(&self) -> Scan<'_> {
        Scan::new(self)
    }
}

fn with_keys<'a>(name: &'a [u8], keys: &[&'a [u8]]) -> Vec<&'a [u8]> {
    std::iter::once(name).chain(keys.iter().copied()).collect()
}
