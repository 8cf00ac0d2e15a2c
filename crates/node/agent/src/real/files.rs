//! The three small files by which a program knows its name and its resolver: `/etc/resolv.conf`, `/etc/hosts`
//! and `/etc/hostname`, written for each container and mounted over the image's.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use roadstead_net::{ExtraHost, LINK_LOCAL_RESOLVER, TaskFiles, TaskNames, hosts_and_resolv};
use roadstead_runtime::{Mount, MountKind};

use super::failed;
use crate::driver::{Failure, Result};
use crate::engine::spec::{Container, NetworkMode, Task};

/// What the three files say.
pub(super) fn compose(task: &Task, container: &Container, region: &str) -> Result<TaskFiles> {
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
                ipv6: None,
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
            let hostname = nix::unistd::gethostname()
                .ok()
                .and_then(|name| name.into_string().ok());
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
            let own = &container.config.hostname;
            // As Docker: the first characters of the container's id.
            let hostname = if own.is_empty() {
                task.id.chars().take(12).collect()
            } else {
                own.clone()
            };
            Ok(TaskFiles {
                resolv_conf: resolv(&servers, &search),
                hosts,
                hostname,
            })
        }
    }
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
