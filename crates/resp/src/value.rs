//! A decoded reply, as the client side sees it.

/// One reply, with all that is in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+`: a short text.
    Simple(Vec<u8>),
    /// `-` or `!`: an error, its code first.
    Error(Vec<u8>),
    /// `:`
    Int(i64),
    /// `$`: a string of any bytes.
    Bulk(Vec<u8>),
    /// `_`, `$-1` or `*-1`.
    Null,
    /// `*`
    Array(Vec<Value>),
    /// `%`, in the order sent.
    Map(Vec<(Value, Value)>),
    /// `~`, in the order sent.
    Set(Vec<Value>),
    /// `>`: a message that answers no request.
    Push(Vec<Value>),
    /// `,`
    Double(f64),
    /// `#`
    Boolean(bool),
    /// `(`: decimal digits.
    BigNumber(Vec<u8>),
    /// `=`
    Verbatim {
        /// What the text is: `txt` or `mkd`.
        format: [u8; 3],
        /// The text itself.
        text: Vec<u8>,
    },
    /// `|`: a reply with attributes before it.
    Attribute {
        /// Names and values, in the order sent.
        attributes: Vec<(Value, Value)>,
        /// The reply they belong to.
        value: Box<Value>,
    },
}

impl Value {
    /// The bytes of a reply that is a text of some kind.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Bulk(text) | Self::BigNumber(text) => Some(text),
            Self::Verbatim { text, .. } => Some(text),
            Self::Attribute { value, .. } => value.as_bytes(),
            Self::Error(_)
            | Self::Int(_)
            | Self::Null
            | Self::Array(_)
            | Self::Map(_)
            | Self::Set(_)
            | Self::Push(_)
            | Self::Double(_)
            | Self::Boolean(_) => None,
        }
    }
}
