//! Where etcd's members are, and below which prefix the store lies, as an operator writes it:
//! `etcd://one:2379,two:2379,three:2379/prefix`.

use std::fmt;
use std::str::FromStr;

/// The members of one etcd cluster, at least one, and the store's prefix in it. Any member serves any call; the
/// first that answers is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    pub(super) members: Vec<Endpoint>,
    pub(super) secure: bool,
    /// Empty for the whole cluster, otherwise a path that begins and ends with a slash.
    pub(super) prefix: String,
}

impl Endpoints {
    /// Whether they are reached over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

/// `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "etcds://" } else { "etcd://" })?;
        for (at, member) in self.members.iter().enumerate() {
            write!(f, "{}{member}", if at > 0 { "," } else { "" })?;
        }
        f.write_str(self.prefix.trim_end_matches('/'))
    }
}

/// Why a text does not name etcd's members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot use {text:?} as the address of etcd: {problem}; write etcd://HOST:PORT,HOST:PORT/PREFIX (etcds:// for TLS; the \
     prefix may be left out)"
)]
pub struct BadEndpoints {
    text: String,
    problem: &'static str,
}

const PORT: u16 = 2379;
/// More members than any etcd cluster has.
const MAX_MEMBERS: usize = 16;
/// Longer, keys would leave too little of a transaction to values.
const MAX_PREFIX: usize = 200;

impl FromStr for Endpoints {
    type Err = BadEndpoints;

    fn from_str(text: &str) -> Result<Self, BadEndpoints> {
        parse(text).map_err(|problem| BadEndpoints {
            text: text.to_owned(),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<Endpoints, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it has no etcd:// before it")?;
    let secure = match scheme {
        "etcd" => false,
        "etcds" => true,
        _ => return Err("it has no etcd:// before it"),
    };
    let (members, path) = rest.split_once('/').unwrap_or((rest, ""));
    let members: Vec<Endpoint> = members.split(',').map(member).collect::<Result<_, _>>()?;
    if members.len() > MAX_MEMBERS {
        return Err("it names more than 16 members");
    }
    let prefix = prefix(path)?;
    Ok(Endpoints {
        members,
        secure,
        prefix,
    })
}

fn prefix(path: &str) -> Result<String, &'static str> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if path.len() > MAX_PREFIX {
        return Err("its prefix has more than 200 characters");
    }
    if !path
        .split('/')
        .all(|segment| !segment.is_empty() && segment.bytes().all(plain))
    {
        return Err("its prefix is not of letters, digits and - _ . with single slashes between");
    }
    Ok(format!("/{path}/"))
}

fn member(text: &str) -> Result<Endpoint, &'static str> {
    if text.contains('@') {
        return Err("a user or password in it is not supported");
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("a member has no host");
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| "a port is not a number up to 65535")?,
        None => PORT,
    };
    Ok(Endpoint {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_they_are_written() {
        let check = |text: &str, shown: &str| {
            assert_eq!(text.parse::<Endpoints>().unwrap().to_string(), shown);
        };
        check("etcd://a:1,b:2", "etcd://a:1,b:2");
        check("etcd://a,[::1]:7/", "etcd://a:2379,[::1]:7");
        check("etcds://10.0.0.1", "etcds://10.0.0.1:2379");
        check("etcd://a:1/roadstead", "etcd://a:1/roadstead");
        check("etcd://a:1,b:2/prod/rs_1.x//", "etcd://a:1,b:2/prod/rs_1.x");
        for (text, problem) in [
            ("a:1", "no etcd://"),
            ("http://a:1", "no etcd://"),
            ("etcd://", "no host"),
            ("etcd://a:1,,b:1", "no host"),
            ("etcd://me:secret@a:1", "not supported"),
            ("etcd://a:1/a//b", "prefix"),
            ("etcd://a:1/a?b", "prefix"),
            ("etcd://a:1/a,b", "prefix"),
            ("etcd://a:port", "not a number"),
            ("etcd://[::1", "not closed"),
        ] {
            let refused = text.parse::<Endpoints>().unwrap_err().to_string();
            assert!(refused.contains(problem), "{refused}");
        }
    }
}
