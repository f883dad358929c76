//! A reply as a transcript shows it: a line a value, aggregates numbered and indented.
//!
//! Near to what redis-cli prints, but unambiguous: bulks are always quoted, and a null array is told
//! from a null.

use stoa_engine::{Proto, Reply};
use stoa_stdx::write_double;

/// A reply being written.
pub(crate) struct Page {
    proto: Proto,
    nodes: Vec<Node>,
}

/// One value, or the head of an aggregate of which `len` values follow.
#[derive(Clone, Debug)]
enum Node {
    Leaf(String),
    Open { len: usize, sign: char, empty: &'static str },
}

impl Page {
    pub(crate) fn new(proto: Proto) -> Self {
        Self { proto, nodes: Vec::new() }
    }

    /// The whole reply, each line ended.
    pub(crate) fn text(&self) -> String {
        let mut nodes = self.nodes.iter();
        let mut text = String::new();
        while nodes.len() > 0 {
            for line in lines(&mut nodes) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    fn leaf(&mut self, text: impl Into<String>) {
        self.nodes.push(Node::Leaf(text.into()));
    }

    fn open(&mut self, len: usize, sign: char, empty: &'static str) {
        self.nodes.push(Node::Open { len, sign, empty });
    }
}

/// The lines of the next value.
fn lines(nodes: &mut std::slice::Iter<'_, Node>) -> Vec<String> {
    let (len, sign, empty) = match nodes.next().expect("as many values as were announced") {
        Node::Leaf(text) => return vec![text.clone()],
        Node::Open { len, sign, empty } => (*len, *sign, *empty),
    };
    if len == 0 {
        return vec![empty.to_owned()];
    }
    let mut all = Vec::new();
    for at in 1..=len {
        let label = format!("{at}{sign} ");
        let mut value = lines(nodes);
        if sign == '#' {
            // A map's value stands behind its key.
            let mut behind = lines(nodes).into_iter();
            let last = value.last_mut().expect("a value has a line");
            last.push_str(" => ");
            let indent = " ".repeat(last.len());
            last.push_str(&behind.next().expect("a value has a line"));
            value.extend(behind.map(|line| format!("{indent}{line}")));
        }
        let indent = " ".repeat(label.len());
        let lead = |(row, line): (usize, String)| {
            if row == 0 { format!("{label}{line}") } else { format!("{indent}{line}") }
        };
        all.extend(value.into_iter().enumerate().map(lead));
    }
    all
}

/// Bytes in quotes, what does not print escaped.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

impl Reply for Page {
    fn simple(&mut self, text: &str) {
        self.leaf(text);
    }

    fn error_text(&mut self, text: &[u8]) {
        // Line ends become spaces as on the wire. No quotes around: it is nearly always plain text.
        let on_line = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
        let text = quoted(&text.iter().map(on_line).collect::<Vec<u8>>()).replace("\\\"", "\"");
        self.leaf(format!("(error) {}", &text[1..text.len() - 1]));
    }

    fn int(&mut self, value: i64) {
        self.leaf(format!("(integer) {value}"));
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.leaf(quoted(bytes));
    }

    fn null(&mut self) {
        self.leaf("(nil)");
    }

    fn null_array(&mut self) {
        self.leaf(if self.proto == Proto::Resp2 { "(nil array)" } else { "(nil)" });
    }

    fn array(&mut self, len: usize) {
        self.open(len, ')', "(empty array)");
    }

    fn map(&mut self, len: usize) {
        match self.proto {
            Proto::Resp2 => self.array(len * 2),
            Proto::Resp3 => self.open(len, '#', "(empty map)"),
        }
    }

    fn set(&mut self, len: usize) {
        match self.proto {
            Proto::Resp2 => self.array(len),
            Proto::Resp3 => self.open(len, '~', "(empty set)"),
        }
    }

    fn push(&mut self, len: usize) {
        match self.proto {
            Proto::Resp2 => self.array(len),
            Proto::Resp3 => self.open(len, '>', "(empty push)"),
        }
    }

    fn double(&mut self, value: f64) {
        let mut text = Vec::new();
        write_double(&mut text, value);
        let text = String::from_utf8(text).expect("digits");
        match self.proto {
            Proto::Resp2 => self.bulk(text.as_bytes()),
            Proto::Resp3 => self.leaf(format!("(double) {text}")),
        }
    }

    fn double_digits(&mut self, digits: &str) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits.as_bytes()),
            Proto::Resp3 => self.leaf(format!("(double) {digits}")),
        }
    }

    fn boolean(&mut self, value: bool) {
        match self.proto {
            Proto::Resp2 => self.int(value.into()),
            Proto::Resp3 => self.leaf(format!("({value})")),
        }
    }

    fn big_number(&mut self, digits: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits),
            Proto::Resp3 => self.leaf(format!("(big number) {}", digits.escape_ascii())),
        }
    }

    fn verbatim(&mut self, format: &str, text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => self.leaf(format!("({format}) {}", quoted(text))),
        }
    }

    fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    fn mark(&self) -> usize {
        self.nodes.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.nodes.truncate(mark);
    }

    fn error_at(&self, mark: usize) -> Option<&[u8]> {
        match self.nodes.get(mark) {
            Some(Node::Leaf(text)) => text.strip_prefix("(error) ").map(str::as_bytes),
            Some(Node::Open { .. }) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_engine::{Proto, Reply};

    use super::Page;

    #[test]
    fn nested_values_stand_under_their_number() {
        let mut page = Page::new(Proto::Resp3);
        page.array(2);
        page.array(2);
        page.int(1);
        page.null();
        page.map(1);
        page.bulk(b"k\0");
        page.set(2);
        page.boolean(true);
        page.array(0);
        let want = "1) 1) (integer) 1\n   2) (nil)\n\
                    2) 1# \"k\\x00\" => 1~ (true)\n                 2~ (empty array)\n";
        assert_eq!(page.text(), want);
    }
}
