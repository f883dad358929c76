//! Where to listen, and what to tell people about it.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use stoa_config::Config;

/// The addresses of `bind`. One written as `-address` may be missing on this host.
///
/// # Errors
/// When there is nowhere to listen at all: a server that nobody can reach could not even be stopped by
/// its clients.
pub(crate) fn addresses(config: &Config) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    if config.port != 0 {
        for name in &config.bind {
            found.extend(resolved(name, config.port, "bind")?);
        }
    }
    if found.is_empty() && config.unix_socket.is_none() {
        return Err(io::Error::other(nowhere(config)));
    }
    Ok(found)
}

/// The addresses of `http-bind`; none when HTTP is off.
///
/// # Errors
/// When it is on and none of them is there.
pub(crate) fn http_addresses(config: &Config) -> io::Result<Vec<SocketAddr>> {
    let (mut found, port) = (Vec::new(), config.http.port);
    if port == 0 {
        return Ok(found);
    }
    for name in &config.http.bind {
        found.extend(resolved(name, port, "http-bind")?);
    }
    if found.is_empty() {
        let text = "no address of 'http-bind' is there; correct it, or set 'http-port' to 0";
        return Err(io::Error::other(text));
    }
    Ok(found)
}

fn nowhere(config: &Config) -> String {
    let what = if config.port == 0 { "'port' is 0" } else { "no address of 'bind' is there" };
    let tls = match config.value("tls-port").as_deref() {
        None | Some(b"0") => "",
        Some(_) => ", and TLS is not supported yet, so 'tls-port' does not help",
    };
    let mend = if config.port == 0 { "set a port" } else { "correct 'bind'" };
    format!(
        "there is nowhere to listen: {what} and 'unixsocket' is empty{tls}; {mend} or a unix socket"
    )
}

fn resolved(name: &[u8], port: u16, of: &str) -> io::Result<Vec<SocketAddr>> {
    let text = String::from_utf8_lossy(name).into_owned();
    let (optional, host) = text.strip_prefix('-').map_or((false, text.as_str()), |h| (true, h));
    let host = match host {
        "*" => "0.0.0.0",
        "::*" => "::",
        host => host,
    };
    match (host, port).to_socket_addrs() {
        Ok(addrs) => Ok({ addrs }
            .filter(|addr| !optional || std::net::TcpListener::bind((addr.ip(), 0)).is_ok())
            .collect()),
        Err(_) if optional => Ok(Vec::new()),
        Err(error) => {
            let text = format!("can't resolve {of} address '{host}': {error}; correct '{of}'");
            Err(io::Error::new(error.kind(), text))
        }
    }
}

/// All places, for the log.
pub(crate) fn places(addrs: &[SocketAddr], unix: Option<&Path>) -> String {
    let addrs = addrs.iter().map(SocketAddr::to_string);
    let unix = unix.map(|path| path.display().to_string());
    addrs.chain(unix).collect::<Vec<_>>().join(", ")
}

/// What to type in order to talk to the server from this host.
pub(crate) fn how_to_connect(addrs: &[SocketAddr], unix: Option<&Path>) -> String {
    let near = |addr: &&SocketAddr| addr.ip().is_loopback() || addr.ip().is_unspecified();
    let best = addrs.iter().find(near).or(addrs.first());
    match (best, unix) {
        (Some(addr), _) => match addr.ip() {
            IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => {
                format!("redis-cli -p {}", addr.port())
            }
            IpAddr::V6(ip) if ip.is_unspecified() => format!("redis-cli -h ::1 -p {}", addr.port()),
            ip => format!("redis-cli -h {ip} -p {}", addr.port()),
        },
        (None, Some(path)) => format!("redis-cli -s {}", path.display()),
        (None, None) => unreachable!("a server that listens nowhere does not start"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stoa_config::Config;

    use super::{addresses, how_to_connect, places};

    fn config(pairs: &[(&str, &str)]) -> Config {
        let mut config = Config::default();
        for (name, value) in pairs {
            config.settle(name, value.as_bytes()).expect("a directive");
        }
        config
    }

    #[test]
    fn a_server_that_nobody_could_reach_does_not_start() {
        let refused = |pairs: &[(&str, &str)]| {
            addresses(&config(pairs)).expect_err("nowhere to listen").to_string()
        };
        let text = refused(&[("port", "0")]);
        assert!(text.contains("'port' is 0") && text.contains("set a port"), "{text}");
        assert!(!text.contains("TLS"), "{text}");
        let text = refused(&[("port", "0"), ("tls-port", "6380")]);
        assert!(text.contains("TLS is not supported yet"), "{text}");
        let text = refused(&[("bind", "-192.0.2.1")]);
        assert!(text.contains("correct 'bind'"), "{text}");
        let unix = config(&[("port", "0"), ("unixsocket", "/tmp/s")]);
        assert_eq!(addresses(&unix).expect("a unix socket is enough"), []);
    }

    #[test]
    fn people_are_told_where_it_listens_and_what_to_type() {
        let addrs = |texts: &[&str]| -> Vec<_> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        let unix = Some(Path::new("/run/s"));
        assert_eq!(places(&addrs(&["127.0.0.1:7"]), unix), "127.0.0.1:7, /run/s");
        for (texts, want) in [
            (&["192.0.2.1:7", "127.0.0.1:7"][..], "redis-cli -p 7"),
            (&["0.0.0.0:7", "[::]:7"], "redis-cli -p 7"),
            (&["[::]:7"], "redis-cli -h ::1 -p 7"),
            (&["192.0.2.1:7"], "redis-cli -h 192.0.2.1 -p 7"),
            (&[], "redis-cli -s /run/s"),
        ] {
            assert_eq!(how_to_connect(&addrs(texts), unix), want);
        }
    }
}
