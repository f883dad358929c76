//! A command's answer as a value.

use stoa_resp::Value;

use crate::Error;

/// One answer. Sessions of the library speak RESP3, so maps, sets, doubles and booleans come as such.
///
/// An error that is the whole answer is an [`Error::Refused`]; [`Reply::Error`] occurs inside of
/// aggregates only.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// Nothing there.
    Null,
    /// A status such as `OK`.
    Simple(String),
    /// A number.
    Int(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Values in order.
    Array(Vec<Reply>),
    /// Pairs, in the order given.
    Map(Vec<(Reply, Reply)>),
    /// Distinct values, in the order given.
    Set(Vec<Reply>),
    /// A floating point number.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// A number of any size, in decimal digits.
    BigNumber(String),
    /// Text for people: its format (`txt`, `mkd`) and itself.
    Verbatim(String, Vec<u8>),
    /// One element failed.
    Error(String),
}

impl Reply {
    /// The bytes of a text of any kind.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.execute(&[b"PING"])?.as_bytes(), Some(b"PONG".as_slice()));
    /// # Ok::<(), stoa::Error>(())
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::BigNumber(text) => Some(text.as_bytes()),
            Self::Bulk(bytes) | Self::Verbatim(_, bytes) => Some(bytes),
            Self::Null
            | Self::Int(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Set(_)
            | Self::Double(_)
            | Self::Boolean(_)
            | Self::Error(_) => None,
        }
    }

    pub(crate) fn int(self) -> Result<i64, Error> {
        match self {
            Self::Int(value) => Ok(value),
            other => Err(Error::Unexpected(other)),
        }
    }

    pub(crate) fn count(self) -> Result<u64, Error> {
        let value = self.int()?;
        u64::try_from(value).map_err(|_| Error::Unexpected(Self::Int(value)))
    }

    pub(crate) fn bytes(self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Bulk(bytes) | Self::Verbatim(_, bytes) => Ok(bytes),
            Self::Simple(text) | Self::BigNumber(text) => Ok(text.into_bytes()),
            other => Err(Error::Unexpected(other)),
        }
    }

    pub(crate) fn bytes_or_null(self) -> Result<Option<Vec<u8>>, Error> {
        if self == Self::Null { Ok(None) } else { self.bytes().map(Some) }
    }

    pub(crate) fn array(self) -> Result<Vec<Self>, Error> {
        match self {
            Self::Array(all) | Self::Set(all) => Ok(all),
            other => Err(Error::Unexpected(other)),
        }
    }

    pub(crate) fn ok(self) -> Result<(), Error> {
        match self {
            Self::Simple(_) => Ok(()),
            other => Err(Error::Unexpected(other)),
        }
    }
}

/// The code and text of an error, for people.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into())
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        let all = |values: Vec<Value>| values.into_iter().map(Self::from).collect();
        match value {
            Value::Simple(bytes) => Self::Simple(text(bytes)),
            Value::Error(bytes) => Self::Error(text(bytes)),
            Value::Int(value) => Self::Int(value),
            Value::Bulk(bytes) => Self::Bulk(bytes),
            Value::Null => Self::Null,
            Value::Array(values) | Value::Push(values) => Self::Array(all(values)),
            Value::Map(pairs) => {
                Self::Map(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
            }
            Value::Set(values) => Self::Set(all(values)),
            Value::Double(value) => Self::Double(value),
            Value::Boolean(value) => Self::Boolean(value),
            Value::BigNumber(digits) => Self::BigNumber(text(digits)),
            Value::Verbatim { format, text: bytes } => Self::Verbatim(text(format.to_vec()), bytes),
            Value::Attribute { value, .. } => Self::from(*value),
        }
    }
}
