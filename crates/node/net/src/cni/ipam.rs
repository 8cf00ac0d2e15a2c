//! `ecs-ipam`: gives each task one address of the private link to the agent. The address tells the agent
//! which task asks, so none is given twice, and one that was released is given again as late as possible:
//! the cursor walks on from the last given.
//!
//! The record is a small file, replaced whole under a lock. It is not synced to disk: what it describes
//! are devices in namespaces, which end with the boot whose id it carries.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::{CniResult, Error, IpConfig, Route, code};

/// Where the record is when `IPAM_DB_PATH` does not say.
pub(crate) const DEFAULT_PATH: &str = "/run/roadstead/ecs-ipam.json";
/// How long to wait for another process's lock when `IPAM_DB_CONNECTION_TIMEOUT` does not say.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Between two tries of the lock, in milliseconds.
const LOCK_RETRY: u16 = 2;
/// Bytes of a record that is ours: 1,021 leases are far below.
const RECORD_BYTES: u64 = 1 << 20;

/// The `ipam` member of `ecs-bridge`'s configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conf {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Owner of the address; the vendor's agent gives the interface's MAC.
    #[serde(default)]
    pub(crate) id: String,
    #[serde(rename = "ipv4-subnet")]
    pub(crate) subnet: Ipv4Net,
    /// This very address, or none.
    #[serde(default, rename = "ipv4-address")]
    pub(crate) address: Option<String>,
    /// Default: the first address of the subnet.
    #[serde(default, rename = "ipv4-gateway")]
    pub(crate) gateway: Option<Ipv4Addr>,
    #[serde(default, rename = "ipv4-routes")]
    pub(crate) routes: Vec<RouteConf>,
}

/// One route of the `ipam` member.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteConf {
    pub(crate) dst: Ipv4Net,
    /// Default: the subnet's gateway.
    #[serde(default)]
    pub(crate) gw: Option<Ipv4Addr>,
}

impl Conf {
    /// # Errors
    /// Code 7 for another type, a subnet too small, a gateway or address outside it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.kind != "ecs-ipam" {
            let msg = format!("ipam.type {:?}: only ecs-ipam is served", self.kind);
            return Err(Error::config(msg));
        }
        if self.subnet.prefix_len() > 30 {
            return Err(Error::config(format!(
                "ipv4-subnet {}: too small for a gateway and a task",
                self.subnet
            )));
        }
        if !usable(self.subnet).contains(&u32::from(self.gateway())) {
            return Err(Error::config(format!(
                "ipv4-gateway {}: not in {}",
                self.gateway(),
                self.subnet
            )));
        }
        self.requested().map(drop)
    }

    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.gateway
            .unwrap_or_else(|| Ipv4Addr::from(*usable(self.subnet).start()))
    }

    fn requested(&self) -> Result<Option<Ipv4Addr>, Error> {
        let Some(text) = self.address.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let ip = text
            .parse::<Ipv4Net>()
            .map(|net| net.addr())
            .or_else(|_| text.parse::<Ipv4Addr>());
        ip.ok()
            .filter(|ip| usable(self.subnet).contains(&u32::from(*ip)) && *ip != self.gateway())
            .map(Some)
            .ok_or_else(|| {
                Error::config(format!(
                    "ipv4-address {text:?}: not an address of {} to give",
                    self.subnet
                ))
            })
    }

    /// What the plugin answers for `ip`.
    pub(crate) fn result(&self, ip: Ipv4Addr) -> CniResult {
        let routes = self.routes.iter().map(|route| Route {
            dst: IpNet::V4(route.dst),
            gw: Some(IpAddr::V4(route.gw.unwrap_or_else(|| self.gateway()))),
        });
        CniResult {
            ips: vec![IpConfig {
                interface: None,
                address: IpNet::V4(Ipv4Net::new_assert(ip, self.subnet.prefix_len())),
                gateway: Some(IpAddr::V4(self.gateway())),
            }],
            routes: routes.collect(),
            ..CniResult::default()
        }
    }
}

/// Addresses that hosts can have: all but the first and the last.
fn usable(subnet: Ipv4Net) -> std::ops::RangeInclusive<u32> {
    u32::from(subnet.network()) + 1..=u32::from(subnet.broadcast()) - 1
}

/// Who has which address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leases {
    version: u32,
    /// The boot that the leases belong to.
    boot: String,
    /// The address given last.
    cursor: Option<Ipv4Addr>,
    /// Owner to address.
    owners: BTreeMap<String, Ipv4Addr>,
}

const VERSION: u32 = 1;

impl Leases {
    /// The address of `id`: the one it has, the one it asks for, or the next free one after the cursor.
    ///
    /// # Errors
    /// [`code::NO_ADDRESS`] when none is free, or the one asked for is another's.
    pub(crate) fn allocate(&mut self, id: &str, conf: &Conf) -> Result<Ipv4Addr, Error> {
        let requested = conf.requested()?;
        let range = usable(conf.subnet);
        if let Some(ip) = self.owners.get(id)
            && requested.is_none_or(|wanted| wanted == *ip)
            && range.contains(&u32::from(*ip))
        {
            return Ok(*ip);
        }
        let taken: std::collections::BTreeSet<Ipv4Addr> = self.owners.values().copied().collect();
        let free = |ip: &Ipv4Addr| *ip != conf.gateway() && !taken.contains(ip);
        let found = match requested {
            Some(ip) => Some(ip).filter(free),
            None => {
                let after = self
                    .cursor
                    .map(u32::from)
                    .filter(|c| range.contains(c))
                    .unwrap_or(*range.start());
                let later = after.saturating_add(1)..=*range.end();
                let earlier = *range.start()..=after;
                later.chain(earlier).map(Ipv4Addr::from).find(free)
            }
        };
        let ip = found.ok_or_else(|| {
            let msg = match requested {
                Some(ip) => format!("the address {ip} is given to another"),
                None => format!("every address of {} is given", conf.subnet),
            };
            Error::new(code::NO_ADDRESS, msg)
        })?;
        self.owners.insert(id.to_owned(), ip);
        self.cursor = Some(ip);
        Ok(ip)
    }

    pub(crate) fn of(&self, id: &str) -> Option<Ipv4Addr> {
        self.owners.get(id).copied()
    }

    /// Takes the address of `id` back.
    pub(crate) fn release(&mut self, id: &str) -> Option<Ipv4Addr> {
        self.owners.remove(id)
    }

    /// Owners and their addresses.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (&str, Ipv4Addr)> {
        self.owners.iter().map(|(id, ip)| (id.as_str(), *ip))
    }
}

/// The record on disk.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    path: PathBuf,
    wait: Duration,
}

impl Store {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            wait: LOCK_WAIT,
        }
    }

    /// The record that `IPAM_DB_PATH` and `IPAM_DB_CONNECTION_TIMEOUT` (such as `5s` or `500ms`) name.
    ///
    /// # Errors
    /// Code 4 when the time cannot be read.
    pub(crate) fn from_environment() -> Result<Self, Error> {
        let path = std::env::var_os("IPAM_DB_PATH")
            .filter(|p| !p.is_empty())
            .unwrap_or_else(|| DEFAULT_PATH.into());
        let wait = match std::env::var("IPAM_DB_CONNECTION_TIMEOUT") {
            Ok(text) if !text.is_empty() => duration(&text).ok_or_else(|| {
                let msg = format!("IPAM_DB_CONNECTION_TIMEOUT {text:?} is not a time such as 5s");
                Error::new(code::INVALID_ENVIRONMENT, msg)
            })?,
            _ => LOCK_WAIT,
        };
        Ok(Self {
            path: path.into(),
            wait,
        })
    }

    /// Reads the record, lets `work` change it, and writes it back if it did, under the lock.
    ///
    /// # Errors
    /// What `work` says; code 11 when the lock is not free in time; code 5 for the disk.
    pub(crate) fn update<T>(&self, work: impl FnOnce(&mut Leases) -> Result<T, Error>) -> Result<T, Error> {
        let failed = |what: &str, e: io::Error| {
            let msg = format!("{what} the address record {}", self.path.display());
            Error {
                details: e.to_string(),
                ..Error::new(code::IO_FAILURE, msg)
            }
        };
        let _lock = self.lock(&failed)?;
        let before = self.read().map_err(|e| failed("reading", e))?;
        let mut leases = before.clone();
        let answer = work(&mut leases)?;
        if leases != before {
            self.write(&leases).map_err(|e| failed("writing", e))?;
        }
        Ok(answer)
    }

    fn lock(&self, failed: &dyn Fn(&str, io::Error) -> Error) -> Result<Flock<File>, Error> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(|e| failed("making the directory of", e))?;
        }
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name)
            .map_err(|e| failed("opening the lock of", e))?;
        let until = Instant::now() + self.wait;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((same, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) if Instant::now() < until => {
                    file = same;
                    // A wait on nothing: the lock itself cannot be waited for with a bound.
                    let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::from(LOCK_RETRY));
                }
                Err((_, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) => {
                    let msg = format!("the address record {} is locked", self.path.display());
                    return Err(Error::new(code::TRY_AGAIN, msg));
                }
                Err((_, e)) => return Err(failed("locking", e.into())),
            }
        }
    }

    fn read(&self) -> io::Result<Leases> {
        let boot = boot_id();
        let fresh = |cursor| Leases {
            version: VERSION,
            boot: boot.clone(),
            cursor,
            owners: BTreeMap::new(),
        };
        let text = match fs::read(&self.path) {
            Ok(text) if text.len() as u64 <= RECORD_BYTES => text,
            Ok(_) => return Err(io::Error::other("larger than such a record can be")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(fresh(None)),
            Err(e) => return Err(e),
        };
        match serde_json::from_slice::<Leases>(&text) {
            Ok(leases) if leases.version != VERSION => Err(io::Error::other(format!(
                "version {} is not {VERSION}; use the release that wrote it",
                leases.version
            ))),
            Ok(leases) if leases.boot == boot => Ok(leases),
            Ok(leases) => Ok(fresh(leases.cursor)),
            Err(error) => {
                // The file is replaced whole, so only a machine that lost power leaves half of one, and
                // then the leases are void with the boot they belonged to.
                tracing::warn!(path = %self.path.display(), %error, "address record unreadable, begun anew");
                Ok(fresh(None))
            }
        }
    }

    fn write(&self, leases: &Leases) -> io::Result<()> {
        crate::state::replace(&self.path, &serde_json::to_vec(leases)?)
    }
}

/// The id of this boot; empty where the kernel tells none.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// A time in the notation of the vendor's settings: a number and `ms`, `s` or `m`.
fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        _ => None,
    }?;
    Some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn conf(subnet: &str) -> Conf {
        Conf {
            kind: "ecs-ipam".into(),
            id: String::new(),
            subnet: subnet.parse().unwrap(),
            address: None,
            gateway: None,
            routes: vec![],
        }
    }

    proptest! {
        #[test]
        fn no_address_is_given_twice_and_the_gateway_never(ops in prop::collection::vec((0u8..20, any::<bool>()), 0..200)) {
            let conf = conf("169.254.172.0/28");
            let mut leases = Leases::default();
            let mut model: BTreeMap<String, Ipv4Addr> = BTreeMap::new();
            for (owner, give) in ops {
                let id = format!("id-{owner}");
                if give {
                    match leases.allocate(&id, &conf) {
                        Ok(ip) => {
                            prop_assert!(conf.subnet.contains(&ip) && ip != conf.gateway());
                            prop_assert!(ip != conf.subnet.network() && ip != conf.subnet.broadcast());
                            if let Some(had) = model.insert(id, ip) { prop_assert_eq!(had, ip); }
                        }
                        Err(e) => {
                            prop_assert_eq!(e.code, code::NO_ADDRESS);
                            prop_assert_eq!(model.len(), 13);
                        }
                    }
                } else {
                    prop_assert_eq!(leases.release(&id), model.remove(&id));
                }
                let distinct: BTreeSet<_> = model.values().collect();
                prop_assert_eq!(distinct.len(), model.len());
            }
        }
    }

    #[test]
    fn a_released_address_comes_back_last() {
        let conf = conf("169.254.172.0/29");
        let mut leases = Leases::default();
        let first = leases.allocate("a", &conf).unwrap();
        assert_eq!(first, Ipv4Addr::new(169, 254, 172, 2));
        leases.release("a");
        let next: Vec<u8> = (0..5)
            .map(|n| leases.allocate(&format!("b{n}"), &conf).unwrap().octets()[3])
            .collect();
        assert_eq!(next, [3, 4, 5, 6, 2]);
    }

    #[test]
    fn a_requested_address_is_that_one_or_none() {
        let mut leases = Leases::default();
        let wanted = Conf {
            address: Some("169.254.172.9".into()),
            ..conf("169.254.172.0/22")
        };
        assert_eq!(
            leases.allocate("a", &wanted).unwrap(),
            Ipv4Addr::new(169, 254, 172, 9)
        );
        assert_eq!(leases.allocate("b", &wanted).unwrap_err().code, code::NO_ADDRESS);
        let gateway = Conf {
            address: Some("169.254.172.1".into()),
            ..wanted
        };
        assert_eq!(gateway.check().unwrap_err().code, code::INVALID_CONFIG);
    }

    #[test]
    fn the_record_survives_reopening_but_not_another_boot_nor_half_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ipam.json");
        let store = Store::at(&path);
        let conf = conf("169.254.172.0/22");
        let ip = store.update(|l| l.allocate("a", &conf)).unwrap();
        assert_eq!(Store::at(&path).update(|l| Ok(l.of("a"))).unwrap(), Some(ip));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(&boot_id(), "another-boot")).unwrap();
        assert_eq!(store.update(|l| Ok(l.of("a"))).unwrap(), None);
        assert_eq!(
            store.update(|l| l.allocate("b", &conf)).unwrap(),
            Ipv4Addr::new(169, 254, 172, 3)
        );
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert_eq!(store.update(|l| Ok(l.of("b"))).unwrap(), None);
        fs::write(&path, text.replace("\"version\":1", "\"version\":2")).unwrap();
        assert_eq!(
            store.update(|l| Ok(l.of("a"))).unwrap_err().code,
            code::IO_FAILURE
        );
    }

    #[test]
    fn times_are_read_as_the_vendor_writes_them() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        for text in ["", "5", "s", "5h5"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
