//! `redis://[user[:password]@]host[:port][/database]`.

use std::fmt;

/// What a URI says; what it leaves out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uri {
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Host.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// Database number.
    pub db: Option<u32>,
}

/// Why a text is no URI of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// It does not start with `redis://`.
    Scheme,
    /// It asks for TLS, which this client does not speak yet.
    Tls,
    /// `%` without two hex digits behind it, or bytes that are no text.
    Percent,
    /// The port is no number up to 65535.
    Port,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "Invalid URI scheme",
            Self::Tls => {
                "rediss:// asks for TLS, which this client does not speak yet; use redis://"
            }
            Self::Percent => "Incomplete URI encoding",
            Self::Port => "Invalid port in URI; use a number up to 65535",
        })
    }
}

impl std::error::Error for UriError {}

impl std::str::FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let Some(rest) = text.strip_prefix("redis://") else {
            let tls = text.starts_with("rediss://");
            return Err(if tls { UriError::Tls } else { UriError::Scheme });
        };
        let mut uri = Self::default();
        let rest = match rest.split_once('@') {
            Some((login, rest)) => {
                uri.set_login(login)?;
                rest
            }
            None => rest,
        };
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_port(address);
        uri.host = (!host.is_empty()).then(|| host.to_owned());
        uri.port = match port {
            Some(port) => Some(port.parse().map_err(|_| UriError::Port)?),
            None => None,
        };
        // As other clients read it, a path that is no number names no database.
        uri.db = path.parse().ok();
        Ok(uri)
    }
}

impl Uri {
    fn set_login(&mut self, login: &str) -> Result<(), UriError> {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, password),
            None => ("", login),
        };
        self.user = if user.is_empty() { None } else { Some(percent_decode(user)?) };
        self.password = Some(percent_decode(password)?);
        Ok(())
    }
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn split_port(address: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match address.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (address, None),
    }
}

fn percent_decode(text: &str) -> Result<String, UriError> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.ok_or(UriError::Percent)?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| UriError::Percent)
}

#[cfg(test)]
mod tests {
    use super::{Uri, UriError};

    fn check(text: &str, want: [Option<&str>; 5]) {
        let uri: Uri = text.parse().expect(text);
        let owned = [
            uri.user,
            uri.password,
            uri.host,
            uri.port.map(|port| port.to_string()),
            uri.db.map(|db| db.to_string()),
        ];
        assert_eq!(owned.each_ref().map(Option::as_deref), want, "{text}");
    }

    #[test]
    fn every_part_may_be_left_out() {
        check("redis://", [None; 5]);
        check("redis://h", [None, None, Some("h"), None, None]);
        check("redis://h:7000/3", [None, None, Some("h"), Some("7000"), Some("3")]);
        check("redis://[::1]:7000", [None, None, Some("::1"), Some("7000"), None]);
        check("redis://secret@h", [None, Some("secret"), Some("h"), None, None]);
        check("redis://:p@h", [None, Some("p"), Some("h"), None, None]);
        check("redis://u:p%40%3a@h/", [Some("u"), Some("p@:"), Some("h"), None, None]);
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for (text, want) in [
            ("http://h", UriError::Scheme),
            ("rediss://h", UriError::Tls),
            ("redis://%4@h", UriError::Percent),
            ("redis://h:99999", UriError::Port),
        ] {
            assert_eq!(text.parse::<Uri>(), Err(want), "{text}");
        }
    }
}
