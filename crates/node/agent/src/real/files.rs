//! The three small files by which a program knows its name and its resolver: `/etc/resolv.conf`, `/etc/hosts`
//! and `/etc/hostname`, written for each container and mounted over the image's.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use roadstead_net::{ExtraHost, LINK_LOCAL_RESOLVER, TaskFiles, TaskNames, hosts_and_resolv};
use roadstead_runtime::{Mount, MountKind};

use super::failed;
use crate::driver::{Failure, Result};
use crate::engine::spec::{Container, NetworkMode, Task};
use crate::engine::state::Connection;

/// What the three files say.
pub(super) fn compose(
    task: &Task,
    container: &Container,
    region: &str,
    peers: &BTreeMap<String, Connection>,
) -> Result<TaskFiles> {
    let host = &container.host;
    let servers = read_servers(host.dns.as_deref().unwrap_or_default())?;
    let search = host.dns_search.clone().unwrap_or_default();
    let extra = host
        .extra_hosts
        .iter()
        .flatten()
        .map(|text| extra_host(text))
        .collect::<Result<Vec<_>>>()?;
    match task.network {
        NetworkMode::Awsvpc => {
            let interface = task
                .interfaces
                .first()
                .ok_or_else(|| Failure::new("the task has no network interface"))?;
            let primary = interface
                .ipv4_addresses
                .iter()
                .find(|ip| ip.primary)
                .or(interface.ipv4_addresses.first());
            let ip: Ipv4Addr = primary
                .and_then(|ip| ip.private_address.parse().ok())
                .ok_or_else(|| Failure(format!("{} has no readable address", interface.ec2_id)))?;
            let own = read_servers(&interface.domain_name_servers)?;
            let mut dns_servers = if servers.is_empty() { own } else { servers };
            if dns_servers.is_empty() {
                dns_servers.push(IpAddr::V4(LINK_LOCAL_RESOLVER));
            }
            let dns_search = if search.is_empty() {
                interface.domain_name.clone()
            } else {
                search
            };
            let names = TaskNames {
                ip,
                ipv6: interface
                    .ipv6_addresses
                    .first()
                    .and_then(|ip| ip.address.parse().ok()),
                vpc_cidr: Ipv4Net::from(ip),
                region: region.to_owned(),
                dns_servers,
                dns_search,
                extra_hosts: extra,
            };
            hosts_and_resolv(&names).map_err(failed)
        }
        NetworkMode::Host => {
            let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
            let mut hosts = read("/etc/hosts");
            push_extra(&mut hosts, &extra);
            let own = Some(&container.config.hostname).filter(|name| !name.is_empty());
            let hostname = own.cloned().or_else(|| {
                let name = nix::unistd::gethostname().ok()?;
                name.into_string().ok()
            });
            let resolv_conf = if servers.is_empty() && search.is_empty() {
                read("/etc/resolv.conf")
            } else {
                resolv(&servers, &search)
            };
            Ok(TaskFiles {
                resolv_conf,
                hosts,
                hostname: hostname.unwrap_or_else(|| "localhost".to_owned()),
            })
        }
        NetworkMode::None | NetworkMode::Bridge => {
            let mut hosts = String::from("127.0.0.1 localhost\n");
            push_extra(&mut hosts, &extra);
            for link in &container.links {
                let other = task.container(&link.container);
                let address = peers.get(&link.container).map(|peer| peer.address);
                let (Some(other), Some(address)) = (other, address) else {
                    return Err(Failure(format!(
                        "the container {:?} that {:?} is linked to has no address",
                        link.container, container.name
                    )));
                };
                let names = [link.alias.as_str(), link.container.as_str(), &hostname(other)].join(" ");
                hosts.push_str(&format!("{address} {names}\n"));
            }
            Ok(TaskFiles {
                resolv_conf: match task.network {
                    NetworkMode::Bridge if !container.config.network_disabled => {
                        let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
                        resolv_of_host(&servers, &search, &host)
                    }
                    _ => resolv(&servers, &search),
                },
                hosts,
                hostname: hostname(container),
            })
        }
    }
}

/// As Docker's: the stated one, or twelve characters that are the container's own.
pub(super) fn hostname(container: &Container) -> String {
    let own = &container.config.hostname;
    if own.is_empty() {
        container.metadata_id.chars().take(12).collect()
    } else {
        own.clone()
    }
}

/// The container's own line, once its address is known, in place of one of an earlier run. The file is the one that
/// is mounted.
pub(super) fn add_address(dir: &Path, address: Ipv4Addr, hostname: &str) -> Result<()> {
    let path = dir.join("hosts");
    let failed = |error: std::io::Error| Failure(format!("writing {}: {error}", path.display()));
    let text = fs::read_to_string(&path).map_err(failed)?;
    let own = |line: &&str| line.split_once(' ').is_some_and(|(_, name)| name == hostname);
    let others = text.lines().filter(|line| !own(line));
    let own = format!("{address} {hostname}");
    let lines: String = others
        .chain([own.as_str()])
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&path, lines).map_err(failed)
}

/// What the container states goes before what the host has; of that, a resolver on the host's own loopback is
/// not the container's.
fn resolv_of_host(servers: &[IpAddr], search: &[String], host: &str) -> String {
    let lines = |key: &str| {
        let key = key.to_owned();
        host.lines().filter_map(move |line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(&key)).then(|| words.map(str::to_owned).collect::<Vec<_>>())
        })
    };
    let own_servers: Vec<IpAddr> = lines("nameserver")
        .filter_map(|words| words.first()?.parse::<IpAddr>().ok())
        .filter(|server| !server.is_loopback())
        .collect();
    let own_search = lines("search").next_back().unwrap_or_default();
    let servers = if servers.is_empty() { &own_servers } else { servers };
    let search = if search.is_empty() { &own_search } else { search };
    resolv(servers, search)
}

fn read_servers(servers: &[String]) -> Result<Vec<IpAddr>> {
    servers
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| Failure(format!("the DNS server {text:?} is not an IP address")))
        })
        .collect()
}

/// `name:address`.
fn extra_host(text: &str) -> Result<ExtraHost> {
    let parsed = text
        .split_once(':')
        .and_then(|(name, ip)| Some((name, ip.parse::<IpAddr>().ok()?)));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    match parsed {
        Some((name, ip)) if !name.is_empty() && name.bytes().all(plain) => Ok(ExtraHost {
            hostname: name.to_owned(),
            ip,
        }),
        _ => Err(Failure(format!(
            "the extra host {text:?} is not of the form name:address"
        ))),
    }
}

fn push_extra(hosts: &mut String, extra: &[ExtraHost]) {
    if !hosts.is_empty() && !hosts.ends_with('\n') {
        hosts.push('\n');
    }
    for host in extra {
        hosts.push_str(&format!("{} {}\n", host.ip, host.hostname));
    }
}

fn resolv(servers: &[IpAddr], search: &[String]) -> String {
    let mut text: String = servers
        .iter()
        .map(|server| format!("nameserver {server}\n"))
        .collect();
    if !search.is_empty() {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    text
}

/// Writes the files below `dir` and answers how to mount them.
pub(super) fn write(dir: &Path, files: &TaskFiles) -> Result<Vec<Mount>> {
    let failed = |path: &Path, error: std::io::Error| Failure(format!("writing {}: {error}", path.display()));
    fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    let hostname = format!("{}\n", files.hostname);
    let mut mounts = Vec::new();
    for (name, text) in [
        ("resolv.conf", &files.resolv_conf),
        ("hosts", &files.hosts),
        ("hostname", &hostname),
    ] {
        let source = dir.join(name);
        fs::write(&source, text).map_err(|error| failed(&source, error))?;
        let target = PathBuf::from("/etc").join(name);
        mounts.push(Mount {
            kind: MountKind::Bind { source },
            target,
            read_only: false,
        });
    }
    Ok(mounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_on_the_hosts_loopback_is_not_the_containers() {
        let host = "# made by hand\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch lan example.org\noptions ndots:2\n";
        let check = |servers: &[&str], search: &[&str], wanted: &str| {
            let servers: Vec<IpAddr> = servers.iter().map(|ip| ip.parse().expect("an address")).collect();
            let search: Vec<String> = search.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(resolv_of_host(&servers, &search, host), wanted);
        };
        check(&[], &[], "nameserver 192.0.2.1\nsearch lan example.org\n");
        check(
            &["10.0.0.2"],
            &[],
            "nameserver 10.0.0.2\nsearch lan example.org\n",
        );
        check(&[], &["a.b"], "nameserver 192.0.2.1\nsearch a.b\n");
    }
}
