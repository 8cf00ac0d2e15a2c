//! Programs find their own name and their resolver in three small files; a task gets them as the
//! platform writes them, so that a look-up is answered at once and never by the host's resolver.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::{Error, Result};

/// Resolver address that every VPC has beside its own.
pub const LINK_LOCAL_RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);

/// The domain of a region's internal names, without a final dot.
pub fn internal_domain(region: &str) -> String {
    if region == "us-east-1" {
        "ec2.internal".into()
    } else {
        format!("{region}.compute.internal")
    }
}

/// The first label of an address's internal name: `ip-172-31-0-5`.
pub fn internal_host(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("ip-{a}-{b}-{c}-{d}")
}

/// The resolver of a VPC: the base of its first CIDR plus two.
pub fn vpc_resolver(cidr: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(cidr.network()).wrapping_add(2))
}

/// The gateway of a subnet: its base plus one.
pub fn subnet_gateway(cidr: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(cidr.network()).wrapping_add(1))
}

/// The gateway of a subnet's IPv6 block: its base plus one.
pub(crate) fn ipv6_subnet_gateway(cidr: Ipv6Net) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(cidr.network()).wrapping_add(1))
}

/// Where a task stands, and what its definition says about names.
#[derive(Clone, Debug)]
pub struct TaskNames {
    /// Primary address of its interface.
    pub ip: Ipv4Addr,
    /// Its IPv6 address, if it has one: the same name in the hosts file.
    pub ipv6: Option<Ipv6Addr>,
    /// First CIDR of its VPC.
    pub vpc_cidr: Ipv4Net,
    pub region: String,
    /// `dnsServers`; empty means the VPC's resolver.
    pub dns_servers: Vec<std::net::IpAddr>,
    /// `dnsSearchDomains`; empty means the region's internal domain.
    pub dns_search: Vec<String>,
    /// `extraHosts`: name and address.
    pub extra_hosts: Vec<ExtraHost>,
}

/// One `extraHosts` entry.
#[derive(Clone, Debug)]
pub struct ExtraHost {
    pub hostname: String,
    pub ip: std::net::IpAddr,
}

/// The texts of a task's own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFiles {
    /// `/etc/resolv.conf`
    pub resolv_conf: String,
    /// `/etc/hosts`
    pub hosts: String,
    /// `/etc/hostname`, and the UTS host name; no line feed.
    pub hostname: String,
}

/// Writes a task's name files.
///
/// # Errors
/// [`Error::Invalid`] for a name that would start another line or word of the file.
pub fn hosts_and_resolv(names: &TaskNames) -> Result<TaskFiles> {
    let words = names
        .dns_search
        .iter()
        .chain(names.extra_hosts.iter().map(|h| &h.hostname));
    for word in words {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if word.is_empty() || word.len() > 253 || !word.bytes().all(plain) {
            return Err(Error::Invalid(format!("{word:?} is not a host or domain name")));
        }
    }
    let domain = internal_domain(&names.region);
    let hostname = format!("{}.{domain}", internal_host(names.ip));
    let mut resolv_conf = String::new();
    if names.dns_servers.is_empty() {
        let _ = writeln!(resolv_conf, "nameserver {}", vpc_resolver(names.vpc_cidr));
    }
    for server in &names.dns_servers {
        let _ = writeln!(resolv_conf, "nameserver {server}");
    }
    let search = if names.dns_search.is_empty() {
        domain
    } else {
        names.dns_search.join(" ")
    };
    let _ = writeln!(resolv_conf, "search {search}\noptions timeout:2 attempts:2");
    let mut hosts = String::from("127.0.0.1 localhost\n");
    let own = format!("{hostname} {}", internal_host(names.ip));
    let _ = writeln!(hosts, "{} {own}", names.ip);
    if let Some(ip) = names.ipv6 {
        let _ = writeln!(hosts, "{ip} {own}");
    }
    for extra in &names.extra_hosts {
        let _ = writeln!(hosts, "{} {}", extra.ip, extra.hostname);
    }
    Ok(TaskFiles {
        resolv_conf,
        hosts,
        hostname,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> TaskNames {
        TaskNames {
            ip: Ipv4Addr::new(172, 31, 0, 5),
            ipv6: None,
            vpc_cidr: "172.31.0.0/16".parse().unwrap(),
            region: "eu-west-1".into(),
            dns_servers: vec![],
            dns_search: vec![],
            extra_hosts: vec![],
        }
    }

    #[test]
    fn a_task_gets_the_platforms_files() {
        let files = hosts_and_resolv(&names()).unwrap();
        assert!(
            files
                .resolv_conf
                .starts_with("nameserver 172.31.0.2\nsearch eu-west-1.compute.internal\n")
        );
        assert_eq!(files.hostname, "ip-172-31-0-5.eu-west-1.compute.internal");
        assert!(
            files
                .hosts
                .contains("172.31.0.5 ip-172-31-0-5.eu-west-1.compute.internal")
        );
    }

    #[test]
    fn the_definition_overrides_servers_and_search_and_adds_hosts() {
        let extra = ExtraHost {
            hostname: "db".into(),
            ip: "10.0.0.9".parse().unwrap(),
        };
        let files = hosts_and_resolv(&TaskNames {
            region: "us-east-1".into(),
            dns_servers: vec!["10.0.0.53".parse().unwrap()],
            dns_search: vec!["a.example".into(), "b.example".into()],
            extra_hosts: vec![extra],
            ..names()
        })
        .unwrap();
        assert!(
            files
                .resolv_conf
                .starts_with("nameserver 10.0.0.53\nsearch a.example b.example\n")
        );
        assert_eq!(files.hostname, "ip-172-31-0-5.ec2.internal");
        assert!(files.hosts.ends_with("10.0.0.9 db\n"));
    }

    #[test]
    fn both_addresses_have_the_name() {
        let files = hosts_and_resolv(&TaskNames {
            ipv6: Some("fd00::5".parse().unwrap()),
            ..names()
        })
        .unwrap();
        let name = "ip-172-31-0-5.eu-west-1.compute.internal ip-172-31-0-5";
        assert!(
            files
                .hosts
                .ends_with(&format!("172.31.0.5 {name}\nfd00::5 {name}\n")),
            "{}",
            files.hosts
        );
    }

    #[test]
    fn a_name_cannot_add_a_line() {
        let names = TaskNames {
            dns_search: vec!["x\nnameserver 1.2.3.4".into()],
            ..names()
        };
        assert!(hosts_and_resolv(&names).is_err());
    }
}
