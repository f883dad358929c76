//! Who is let in: judged by the head of a request alone, before a byte of its body is read.
//!
//! A browser sends what any page tells it to, with the reach of whoever sits in front of it, and a
//! server on this host is in that reach. It says so by `Origin`, or `Sec-Fetch-Site`, on every request
//! that a page can make it send with a body; so such a request is refused unless the operator named that
//! origin, whatever address the page believes to be talking to. Form posts of older browsers, which say
//! neither, are known by what their body is declared as. `curl -d` declares what a form does, and passes:
//! the body of such a form is never JSON.

use data_encoding::BASE64;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use crate::answer::Refused;

/// What a request wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// To run what its body says.
    Run,
    /// To become a WebSocket.
    Socket { accept: String },
    /// To know whether a page may ask (CORS).
    Preflight,
}

/// What of a head leads to.
pub(crate) struct Entry {
    pub(crate) wants: Wants,
    /// The page that asks, if one does and may.
    pub(crate) origin: Option<HeaderValue>,
}

/// Judges the head of a request.
pub(crate) fn judge(head: &Parts, origins: &[String], body_max: usize) -> Result<Entry, Refused> {
    let refuse = |status, text: &'static str| Err(Refused::new(status, text));
    let origin = match allowed_origin(&head.headers, origins) {
        Ok(origin) => origin,
        Err(text) => return refuse(StatusCode::FORBIDDEN, text),
    };
    if head.uri.path() != "/" {
        return refuse(StatusCode::NOT_FOUND, "ERR nothing is here; requests go to /");
    }
    let wants = match head.method {
        Method::OPTIONS if origin.is_some() => Wants::Preflight,
        Method::GET if head.headers.contains_key(UPGRADE) => socket(&head.headers)?,
        Method::POST => {
            check_body(&head.headers, body_max)?;
            Wants::Run
        }
        _ => {
            let text = "ERR send POST with a JSON body, or open a WebSocket";
            return refuse(StatusCode::METHOD_NOT_ALLOWED, text);
        }
    };
    Ok(Entry { wants, origin })
}

const FOREIGN: &str = "ERR a web page asked for this; if it may, name its origin in \
                       'http-allow-origin'";

fn allowed_origin(
    headers: &HeaderMap,
    origins: &[String],
) -> Result<Option<HeaderValue>, &'static str> {
    let mut said = headers.get_all(ORIGIN).iter();
    let Some(origin) = said.next() else {
        // No page of ours exists, so one of the same site is as foreign as any other.
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        return if matches!(site, None | Some(b"none")) { Ok(None) } else { Err(FOREIGN) };
    };
    let is_named = |name: &String| name == "*" || name.as_bytes() == origin.as_bytes();
    if said.next().is_none() && origins.iter().any(is_named) {
        Ok(Some(origin.clone()))
    } else {
        Err(FOREIGN)
    }
}

fn check_body(headers: &HeaderMap, body_max: usize) -> Result<(), Refused> {
    let declared = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = declared.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |name: &str| kind.eq_ignore_ascii_case(name.as_bytes());
    if !kind.is_empty() && !is("application/json") && !is("application/x-www-form-urlencoded") {
        let text = "ERR send the body as Content-Type: application/json";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > body_max as u64)
    {
        return Err(too_long());
    }
    Ok(())
}

pub(crate) fn too_long() -> Refused {
    let text = "ERR the body is longer than 'http-max-body' allows; send less at once, or raise it";
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

fn socket(headers: &HeaderMap) -> Result<Wants, Refused> {
    let is = |name: &str, value: &[u8]| {
        headers.get(name).is_some_and(|said| said.as_bytes().eq_ignore_ascii_case(value))
    };
    let upgrades = headers.get_all("connection").iter().any(|said| {
        said.as_bytes()
            .split(|byte| *byte == b',')
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    if !upgrades || !is("upgrade", b"websocket") {
        let text = "ERR the only upgrade is to a WebSocket";
        return Err(Refused::new(StatusCode::BAD_REQUEST, text));
    }
    let is_known = headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_known) else {
        let text = "ERR WebSocket version 13 is spoken, with a key";
        return Err(Refused::new(StatusCode::UPGRADE_REQUIRED, text));
    };
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    Ok(Wants::Socket { accept })
}

/// Whom a request says to come from: user and password.
pub(crate) type Login = (Vec<u8>, Vec<u8>);

/// The login in `Authorization`. A bearer's token is the password of the default user.
pub(crate) fn login(headers: &HeaderMap) -> Result<Option<Login>, Refused> {
    let Some(said) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let refusal = || {
        let text = "WRONGPASS send Authorization as 'Basic' or as 'Bearer'";
        Refused::new(StatusCode::UNAUTHORIZED, text)
    };
    let mut words = said.as_bytes().splitn(2, |byte| *byte == b' ');
    let (scheme, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") && !rest.is_empty() {
        return Ok(Some((b"default".to_vec(), rest.to_vec())));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Err(refusal());
    }
    let pair = BASE64.decode(rest).map_err(|_| refusal())?;
    let colon = pair.iter().position(|byte| *byte == b':').ok_or_else(refusal)?;
    let user = if colon == 0 { b"default".to_vec() } else { pair[..colon].to_vec() };
    Ok(Some((user, pair[colon + 1..].to_vec())))
}

#[cfg(test)]
mod tests {
    use hyper::{Request, StatusCode};

    use super::{Wants, judge, login};

    fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> hyper::http::request::Parts {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn judged(method: &str, headers: &[(&str, &str)], origins: &[&str]) -> Result<Wants, u16> {
        let origins: Vec<String> = origins.iter().map(|&name| name.to_owned()).collect();
        judge(&head(method, "/", headers), &origins, 100)
            .map(|entry| entry.wants)
            .map_err(|refused| refused.status.as_u16())
    }

    #[test]
    fn a_page_may_ask_only_if_its_origin_was_named() {
        let page = ("origin", "https://a.example");
        assert_eq!(judged("POST", &[page], &[]), Err(403));
        assert_eq!(judged("POST", &[("origin", "null")], &["https://a.example"]), Err(403));
        assert_eq!(judged("POST", &[("origin", "http://localhost:1")], &[]), Err(403));
        assert_eq!(judged("POST", &[("sec-fetch-site", "same-origin")], &[]), Err(403));
        assert_eq!(judged("OPTIONS", &[page], &[]), Err(403));
        assert_eq!(judged("POST", &[page], &["https://a.example"]), Ok(Wants::Run));
        assert_eq!(judged("POST", &[page, page], &["https://a.example"]), Err(403));
        assert_eq!(judged("POST", &[page], &["*"]), Ok(Wants::Run));
        assert_eq!(judged("OPTIONS", &[page], &["*"]), Ok(Wants::Preflight));
        assert_eq!(judged("POST", &[("sec-fetch-site", "none")], &[]), Ok(Wants::Run));
    }

    #[test]
    fn a_body_says_that_it_is_json_or_nothing() {
        let of = |kind| judged("POST", &[("content-type", kind)], &[]);
        assert_eq!(of("application/json; charset=utf-8"), Ok(Wants::Run));
        assert_eq!(of("application/x-www-form-urlencoded"), Ok(Wants::Run));
        assert_eq!(of("text/plain"), Err(415));
        assert_eq!(of("multipart/form-data; boundary=x"), Err(415));
        assert_eq!(judged("POST", &[("content-length", "101")], &[]), Err(413));
        assert_eq!(judged("POST", &[("content-length", "100")], &[]), Ok(Wants::Run));
    }

    #[test]
    fn other_methods_and_places_are_named_as_what_they_are() {
        assert_eq!(judged("GET", &[], &[]), Err(405));
        assert_eq!(judged("OPTIONS", &[], &[]), Err(405));
        let elsewhere = judge(&head("POST", "/metrics", &[]), &[], 100).err().expect("refused");
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_socket_needs_the_whole_handshake() {
        let all = [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned();
        assert_eq!(judged("GET", &all, &[]), Ok(Wants::Socket { accept }));
        assert_eq!(judged("GET", &all[..3], &[]), Err(426));
        assert_eq!(judged("GET", &all[..1], &[]), Err(400));
        assert_eq!(judged("GET", &[&all[..], &[("origin", "http://x")]].concat(), &[]), Err(403));
    }

    #[test]
    fn a_login_is_read_from_both_schemes() {
        let of = |said: &str| {
            login(&head("POST", "/", &[("authorization", said)]).headers)
                .map_err(|refused| refused.status.as_u16())
        };
        let pair = |user: &str, pass: &str| Ok(Some((user.into(), pass.into())));
        assert_eq!(of("Basic dTpwOnE="), pair("u", "p:q"));
        assert_eq!(of("basic OnA="), pair("default", "p"));
        assert_eq!(of("Bearer secret"), pair("default", "secret"));
        for bad in ["Basic !", "Basic dQ==", "Bearer ", "Digest x", ""] {
            assert_eq!(of(bad), Err(401), "{bad:?}");
        }
        assert_eq!(login(&head("POST", "/", &[]).headers).ok(), Some(None));
    }
}
