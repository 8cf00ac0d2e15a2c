//! Where a receiver is.

/// The end of a connection, or where datagrams go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp {
        host: String,
        port: u16,
    },
    Udp {
        host: String,
        port: u16,
    },
    /// A stream.
    Unix(String),
    /// Datagrams.
    Unixgram(String),
    /// The node's own syslog, wherever it listens.
    Local,
}

impl Address {
    /// Bytes in order that arrive or break off, not datagrams that may be lost.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Tcp { .. } | Self::Unix(_))
    }
}

/// `scheme`, and what follows `://`.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once("://")
}

/// The path of a socket.
pub(crate) fn path(text: &str) -> Result<String, String> {
    // Of a socket's name, 108 bytes with the one that ends it.
    if text.starts_with('/') && text.len() < 108 && !text.contains('\0') {
        Ok(text.to_owned())
    } else {
        Err("a socket has an absolute path of less than 108 bytes".to_owned())
    }
}

/// `host:port`, `[v6]:port`, or the host alone where there is a port for that. Without a host, `no_host` is meant.
pub(crate) fn host_port(text: &str, no_host: &str, no_port: Option<u16>) -> Result<(String, u16), String> {
    if text.contains(['/', '?', '#', '@', '%']) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it is host:port and nothing behind it".to_owned());
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or("a ']' is missing")?;
        let v6 = host.parse::<std::net::Ipv6Addr>();
        v6.map_err(|_| "in brackets stands an IPv6 address".to_owned())?;
        match behind {
            "" => (host, None),
            behind => (host, Some(behind.strip_prefix(':').ok_or("a ':' is missing")?)),
        }
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets".to_owned());
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let host = if host.is_empty() { no_host } else { host };
    if host.is_empty() || host.len() > 253 {
        return Err("it needs a host".to_owned());
    }
    let port = match (port, no_port) {
        (Some(port), _) => port.parse::<u16>().ok().filter(|port| *port > 0),
        (None, Some(port)) => Some(port),
        (None, None) => return Err("it needs a port".to_owned()),
    };
    let port = port.ok_or("a port is a number from 1 to 65535")?;
    Ok((host.to_owned(), port))
}
