//! What a container finds around it by name: variables, labels, hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use roadstead_api_ecs::{HostEntry, KeyValuePair};

use super::container::{invalid, invalid_because};
use crate::error::Result;

/// Bytes of a host name that the kernel takes.
const HOSTNAME_MAX: usize = 64;

/// Every variable has a name that a process can look up, and one value.
pub(super) fn check(container: &str, pairs: Vec<KeyValuePair>) -> Result<Vec<KeyValuePair>> {
    let mut names = BTreeSet::new();
    for KeyValuePair { name, value } in &pairs {
        let name = name.as_deref().unwrap_or_default();
        if name.is_empty()
            || name.contains(['=', '\0'])
            || value.as_ref().is_some_and(|value| value.contains('\0'))
        {
            return Err(invalid_because(
                "environment",
                container,
                "Each variable needs a name without '=', and neither name nor value may hold a zero byte.",
            ));
        }
        if !names.insert(name) {
            let why = format_args!("The variable '{name}' is set more than once.");
            return Err(invalid_because("environment", container, why));
        }
    }
    let filled = |KeyValuePair { name, value }| KeyValuePair {
        name,
        value: Some(value.unwrap_or_default()),
    };
    Ok(pairs.into_iter().map(filled).collect())
}

pub(super) fn check_labels(container: &str, labels: Option<&BTreeMap<String, String>>) -> Result<()> {
    match labels {
        Some(labels) if labels.keys().any(String::is_empty) => Err(invalid("dockerLabels", container)),
        _ => Ok(()),
    }
}

pub(super) fn check_hostname(container: &str, hostname: Option<&str>) -> Result<()> {
    match hostname {
        Some(name) if name.len() > HOSTNAME_MAX || !is_host(name) => Err(invalid("hostname", container)),
        _ => Ok(()),
    }
}

pub(super) fn check_hosts(
    container: &str,
    hosts: Option<&[HostEntry]>,
    servers: Option<&[String]>,
    search: Option<&[String]>,
) -> Result<()> {
    for HostEntry { hostname, ip_address } in hosts.unwrap_or_default() {
        if !is_host(hostname) || ip_address.parse::<IpAddr>().is_err() {
            return Err(invalid("extraHosts", container));
        }
    }
    if servers
        .unwrap_or_default()
        .iter()
        .any(|server| server.parse::<IpAddr>().is_err())
    {
        return Err(invalid("dnsServers", container));
    }
    if search.unwrap_or_default().iter().any(|name| !is_host(name)) {
        return Err(invalid("dnsSearchDomains", container));
    }
    Ok(())
}

fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}
