//! Responses: bodies in JSON, and the status that fits what happened.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_VERSION,
    VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use stoa_json::write_answer;
use stoa_resp::Value;

pub(crate) type Answer = Response<Full<Bytes>>;

/// The replies to a request: one, or a list of them.
pub(crate) fn replies(values: &[Value], is_list: bool) -> Answer {
    let mut body = Vec::new();
    let mut status = StatusCode::OK;
    if is_list {
        body.push(b'[');
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            write_answer(value, &mut body);
        }
        body.push(b']');
    } else if let Some(value) = values.first() {
        if let Value::Error(text) = value {
            status = status_of(text);
        }
        write_answer(value, &mut body);
    }
    json(status, body)
}

/// What who sent no login is told.
const LOGIN_MISSING: &str = "NOAUTH send the header 'Authorization: Basic' with user and password, or \
                             'Authorization: Bearer' with the default user's password";

/// Why a request gets an error instead of its replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) text: Cow<'static, str>,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into() }
    }

    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// The session could not begin: what the server said to its login, with the status that fits. Who
    /// brought none is told how to bring one here; the server's words are for clients of RESP.
    pub(crate) fn by_login(text: &[u8]) -> Self {
        let status = status_of(text);
        if text.starts_with(b"NOAUTH") {
            return Self::new(status, LOGIN_MISSING);
        }
        Self::new(status, String::from_utf8_lossy(text).into_owned())
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        json(refused.status, error_json(&refused.text))
    }
}

pub(crate) fn error_json(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    write_answer(&Value::Error(text.as_bytes().to_vec()), &mut body);
    body
}

fn json(status: StatusCode, mut body: Vec<u8>) -> Answer {
    // For people at a terminal.
    body.push(b'\n');
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let what_would_do = match status {
        StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Basic realm=\"stoa\"")),
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "POST, OPTIONS")),
        StatusCode::UPGRADE_REQUIRED => Some((SEC_WEBSOCKET_VERSION, "13")),
        _ => None,
    };
    if let Some((name, value)) = what_would_do {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// What a web page asks before it sends the real request.
pub(crate) fn preflight() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    let allowed = HeaderValue::from_static("authorization, content-type");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    answer
}

/// Lets a page of `origin` read the answer.
pub(crate) fn readable_by(mut answer: Answer, origin: Option<HeaderValue>) -> Answer {
    if let Some(origin) = origin {
        answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    }
    answer
}

fn status_of(text: &[u8]) -> StatusCode {
    let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    match code {
        b"NOAUTH" | b"WRONGPASS" => StatusCode::UNAUTHORIZED,
        b"NOPERM" | b"DENIED" => StatusCode::FORBIDDEN,
        b"BUSY" | b"LOADING" | b"OOM" | b"MISCONF" | b"READONLY" | b"MASTERDOWN"
        | b"NOREPLICAS" | b"CLUSTERDOWN" | b"TRYAGAIN" => StatusCode::SERVICE_UNAVAILABLE,
        _ if text.starts_with(b"ERR max number of clients") => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::status_of;

    #[test]
    fn the_status_says_whose_turn_it_is() {
        for (text, status) in [
            ("NOAUTH Authentication required.", StatusCode::UNAUTHORIZED),
            ("WRONGPASS invalid", StatusCode::UNAUTHORIZED),
            ("DENIED Redis is running in protected mode", StatusCode::FORBIDDEN),
            ("OOM command not allowed", StatusCode::SERVICE_UNAVAILABLE),
            ("ERR max number of clients reached", StatusCode::SERVICE_UNAVAILABLE),
            ("ERR syntax error", StatusCode::BAD_REQUEST),
            ("WRONGTYPE Operation", StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(status_of(text.as_bytes()), status, "{text}");
        }
    }
}
