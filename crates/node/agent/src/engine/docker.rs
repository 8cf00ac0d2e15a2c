//! The two Docker structures inside a payload. The vendor's agent hands them to the Docker Engine; here every
//! member is named, so that one that has no effect is refused instead of forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_log_drivers::Driver;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::spec::Sending;

/// The log driver that sends lines to CloudWatch Logs.
pub const AWSLOGS: &str = "awslogs";

/// A container's `Config`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Config {
    pub user: String,
    pub working_dir: String,
    pub hostname: String,
    pub labels: Option<BTreeMap<String, String>>,
    /// A name or number.
    pub stop_signal: String,
    /// stdin stays open for interactive programs.
    pub open_stdin: bool,
    pub tty: bool,
    /// Loopback and nothing else, whatever the network mode.
    pub network_disabled: bool,
    pub healthcheck: Option<HealthCheck>,
}

/// Times are nanoseconds; 0 is unset.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct HealthCheck {
    /// `NONE`, or `CMD` or `CMD-SHELL` and what to run.
    pub test: Option<Vec<String>>,
    pub interval: i64,
    pub timeout: i64,
    pub start_period: i64,
    pub retries: i64,
}

/// A container's `HostConfig`. Sizes are bytes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct HostConfig {
    pub network_mode: String,
    pub memory_reservation: i64,
    pub cap_add: Option<Vec<String>>,
    pub cap_drop: Option<Vec<String>>,
    pub ulimits: Option<Vec<Ulimit>>,
    pub readonly_rootfs: bool,
    pub sysctls: Option<BTreeMap<String, String>>,
    pub dns: Option<Vec<String>>,
    pub dns_search: Option<Vec<String>>,
    pub dns_options: Option<Vec<String>>,
    /// `name:address`.
    pub extra_hosts: Option<Vec<String>>,
    /// Target to mount options.
    pub tmpfs: Option<BTreeMap<String, String>>,
    pub shm_size: i64,
    /// Memory and swap together; -1 is no limit.
    pub memory_swap: i64,
    pub memory_swappiness: Option<i64>,
    pub pids_limit: Option<i64>,
    pub init: Option<bool>,
    pub privileged: bool,
    /// `no-new-privileges`, `seccomp:unconfined`.
    pub security_opt: Option<Vec<String>>,
    pub devices: Option<Vec<Device>>,
    pub log_config: Option<LogConfig>,
}

impl HostConfig {
    /// 0 is unset.
    pub fn memory_reservation_mib(&self) -> u64 {
        u64::try_from(self.memory_reservation).unwrap_or(0) >> 20
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Ulimit {
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

/// A device of the host's in the container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Device {
    pub path_on_host: String,
    pub path_in_container: String,
    /// Of `r`, `w` and `m`.
    pub cgroup_permissions: String,
}

/// What of `SecurityOpt` there is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Security {
    pub no_new_privileges: bool,
    /// Every system call; only where the operator allows privileged containers.
    pub seccomp_unconfined: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct LogConfig {
    #[serde(rename = "Type")]
    pub kind: String,
    pub config: Option<BTreeMap<String, String>>,
}

/// Reads one of the two from its string; an empty string is an empty structure.
pub fn read<T: DeserializeOwned + Default>(text: &str) -> Result<T, serde_json::Error> {
    if text.trim().is_empty() {
        Ok(T::default())
    } else {
        serde_json::from_str(text)
    }
}

impl HostConfig {
    /// # Errors
    /// The first option that is not known here.
    pub fn security(&self) -> Result<Security, &str> {
        let mut security = Security::default();
        for option in self.security_opt.iter().flatten() {
            match option.replacen('=', ":", 1).as_str() {
                "no-new-privileges" | "no-new-privileges:true" => security.no_new_privileges = true,
                "no-new-privileges:false" => security.no_new_privileges = false,
                "seccomp:unconfined" => security.seccomp_unconfined = true,
                _ => return Err(option),
            }
        }
        Ok(security)
    }

    /// Where the output goes, if it leaves the node.
    ///
    /// # Errors
    /// An option that is missing, unknown or malformed.
    pub fn sending(&self) -> Result<Option<Sending>, String> {
        let Some(log) = &self.log_config else {
            return Ok(None);
        };
        let none = BTreeMap::new();
        let options = log.config.as_ref().unwrap_or(&none);
        if log.kind == AWSLOGS {
            let read = roadstead_awslogs::Options::read(options).map_err(|fault| fault.to_string())?;
            return Ok(Some(Sending::Awslogs(read)));
        }
        let read = Driver::read(&log.kind, options).map_err(|fault| fault.to_string())?;
        Ok(read.map(Arc::new).map(Sending::Receiver))
    }

    /// What cannot be done here, by its member's name.
    pub fn refused(&self) -> Option<String> {
        let unsupported = |name: &str| Some(format!("{name} is not supported by Roadstead yet"));
        if let Err(option) = self.security() {
            return unsupported(&format!("SecurityOpt: {option:?}"));
        }
        if self
            .dns_options
            .as_ref()
            .is_some_and(|options| !options.is_empty())
        {
            return unsupported("DnsOptions");
        }
        match &self.log_config {
            // Their options are read by `sending`.
            Some(log) if matches!(log.kind.as_str(), AWSLOGS | "syslog" | "fluentd" | "gelf") => None,
            Some(log) if !matches!(log.kind.as_str(), "" | "json-file") => {
                unsupported(&format!("LogConfig: the log driver {:?}", log.kind))
            }
            Some(log) => log
                .config
                .iter()
                .flatten()
                .find(|(name, _)| !matches!(name.as_str(), "max-size" | "max-file"))
                .and_then(|(name, _)| unsupported(&format!("LogConfig: the option {name:?}"))),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_without_effect_are_refused_by_name() {
        for (text, wanted) in [
            (r#"{"SecurityOpt":["label:disable"]}"#, "label:disable"),
            (r#"{"DnsOptions":["ndots:1"]}"#, "DnsOptions"),
            (r#"{"LogConfig":{"Type":"splunk"}}"#, "splunk"),
            (
                r#"{"LogConfig":{"Type":"json-file","Config":{"labels":"x"}}}"#,
                "labels",
            ),
        ] {
            let host: HostConfig = read(text).expect("reads");
            assert!(host.refused().is_some_and(|why| why.contains(wanted)), "{text}");
        }
        let unknown = read::<HostConfig>(r#"{"Binds":["/:/x"]}"#).expect_err("is refused");
        assert!(unknown.to_string().contains("Binds"), "{unknown}");
    }

    #[test]
    fn what_the_vendor_is_sent_is_read() {
        let host: HostConfig = read(
            r#"{"NetworkMode": "", "CapAdd": [], "CapDrop": ["NET_RAW"], "MemoryReservation": 67108864}"#,
        )
        .expect("reads");
        assert_eq!((host.refused(), host.memory_reservation_mib()), (None, 64));
        assert_eq!(read::<Config>("").expect("reads"), Config::default());
        let host: HostConfig = read(
            r#"{"SecurityOpt":["no-new-privileges","seccomp=unconfined"],"Devices":[{"PathOnHost":"/dev/null",
                "PathInContainer":"/dev/x","CgroupPermissions":"r"}]}"#,
        )
        .expect("reads");
        let security = host.security().expect("known");
        assert!(security.no_new_privileges && security.seccomp_unconfined);
        assert_eq!(host.devices.expect("devices")[0].cgroup_permissions, "r");
    }
}
