//! Where lines go.

/// Of a receiver, seen from the machine and not from the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Udp {
        host: String,
        port: u16,
    },
    Tcp {
        host: String,
        port: u16,
    },
    /// A socket file, of a stream or of datagrams.
    Unix(String),
    Unixgram(String),
}

impl Address {
    /// `scheme://host:port` or `scheme:///path`; without a port the driver's own.
    pub(crate) fn read(text: &str, usual: u16) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| "it is a scheme, ://, and a host or a path".to_owned())?;
        match scheme {
            "udp" | "tcp" => {
                let (host, port) = place(rest, usual)?;
                Ok(match scheme {
                    "udp" => Self::Udp { host, port },
                    _ => Self::Tcp { host, port },
                })
            }
            "unix" | "unixgram" => {
                if !rest.starts_with('/') || rest.len() > 100 {
                    return Err("a socket file is named by an absolute path of at most 100 bytes".to_owned());
                }
                Ok(match scheme {
                    "unix" => Self::Unix(rest.to_owned()),
                    _ => Self::Unixgram(rest.to_owned()),
                })
            }
            other => Err(format!(
                "the scheme {other} is none of udp, tcp, unix and unixgram"
            )),
        }
    }
}

/// `host`, `host:port`, `[v6]:port`.
pub(crate) fn place(text: &str, usual: u16) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or_else(|| "the bracket is not closed".to_owned())?;
            (host, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        return Err("there is no host in it".to_owned());
    }
    let port = match port {
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| "the port is a number".to_owned())?,
        None => usual,
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let host = |host: &str| host.to_owned();
        for (text, wanted) in [
            (
                "udp://a.b:1",
                Some(Address::Udp {
                    host: host("a.b"),
                    port: 1,
                }),
            ),
            (
                "tcp://10.0.0.1",
                Some(Address::Tcp {
                    host: host("10.0.0.1"),
                    port: 514,
                }),
            ),
            (
                "udp://[::1]:9",
                Some(Address::Udp {
                    host: host("::1"),
                    port: 9,
                }),
            ),
            ("unix:///dev/log", Some(Address::Unix(host("/dev/log")))),
            ("unixgram:///dev/log", Some(Address::Unixgram(host("/dev/log")))),
            ("udp://", None),
            ("udp://:5", None),
            ("udp://a:0", None),
            ("udp://a:99999", None),
            ("udp://[::1", None),
            ("unix://dev/log", None),
            ("tcp+tls://a:1", None),
            ("a:1", None),
            ("", None),
        ] {
            assert_eq!(Address::read(text, 514).ok(), wanted, "{text}");
        }
    }
}
