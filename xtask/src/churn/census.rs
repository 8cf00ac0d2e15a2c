//! What a Roadstead has on the machine, counted: only what carries its instance's name or belongs to its processes,
//! since the machine has other users.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Idle connections and the pool of blocking threads come and go by a few, whatever happens.
const SLACK: [(&str, u64); 2] = [("descriptors of the daemon", 3), ("threads of the daemon", 3)];

#[derive(Debug, Default)]
pub(crate) struct Census {
    pub counts: BTreeMap<&'static str, u64>,
    things: BTreeMap<&'static str, Vec<String>>,
    /// Of the daemon, resident, in bytes.
    pub memory: u64,
}

impl Census {
    /// Counts what carries the instance's name; with a daemon, also what that process holds.
    pub(crate) fn of_the_machine(instance: &str, daemon: Option<u32>) -> Result<Self> {
        let mut census = Self::default();
        let processes = processes(instance, daemon)?;
        let spaces: BTreeSet<String> = processes.iter().flat_map(|(pid, _)| namespaces(*pid)).collect();
        census.note(
            "processes",
            processes.into_iter().map(|(pid, name)| format!("{pid} {name}")),
        );
        census.note("namespaces of processes", spaces);
        let named = named_namespaces(instance)?;
        for namespace in &named {
            census.look_into(namespace);
        }
        census.note("named network namespaces", named);
        let mut mounts = mounts("self", instance)?;
        if let Some(daemon) = daemon {
            mounts.extend(self::mounts(&daemon.to_string(), instance)?);
        }
        census.note("mounts", mounts);
        let links = output("ip", &["-o", "link"])?;
        let own = format!("rs{instance}");
        census.note(
            "devices of the host",
            lines(&links).filter(|line| line.contains(&own)),
        );
        census.note(
            "cgroups",
            cgroups(Path::new("/sys/fs/cgroup"), &format!("rs-{instance}")),
        );
        let rules = output("nft", &["-j", "list", "ruleset"])?;
        census.note("objects of the host's firewall", firewall(&rules));
        if let Some(pid) = daemon {
            let descriptors = descriptors(pid)?;
            census.note("descriptors of the daemon", descriptors);
            census.note("threads of the daemon", threads(pid)?);
            census.memory = memory(pid)?;
        }
        Ok(census)
    }

    fn note(&mut self, what: &'static str, things: impl IntoIterator<Item = String>) {
        let all = self.things.entry(what).or_default();
        all.extend(things);
        self.counts.insert(what, all.len() as u64);
    }

    /// Devices, routes and rules within a namespace. One that goes meanwhile is counted as gone the next time.
    fn look_into(&mut self, namespace: &str) {
        let path = format!("--net=/run/netns/{namespace}");
        let inside = |words: &[&str]| {
            let mut all = vec![path.as_str(), "--"];
            all.extend(words);
            output("nsenter", &all).unwrap_or_default()
        };
        let named =
            |text: &str| -> Vec<String> { lines(text).map(|line| format!("{namespace}: {line}")).collect() };
        self.note("devices in namespaces", named(&inside(&["ip", "-o", "link"])));
        self.note(
            "routes in namespaces",
            named(&inside(&["ip", "-o", "route", "show", "table", "all"])),
        );
        self.note("rules in namespaces", named(&inside(&["ip", "-o", "rule"])));
        let objects = firewall(&inside(&["nft", "-j", "list", "ruleset"]));
        self.note(
            "firewall objects in namespaces",
            objects.into_iter().map(|object| format!("{namespace}: {object}")),
        );
    }

    /// What there is more or less of than in this one.
    pub(crate) fn differences(&self, later: &Census) -> Vec<String> {
        let mut wrong = Vec::new();
        for (what, before) in &self.counts {
            let after = later.counts.get(what).copied().unwrap_or(0);
            let slack = SLACK
                .iter()
                .find(|(name, _)| name == what)
                .map(|(_, slack)| *slack);
            let right = match slack {
                Some(slack) => after <= before + slack,
                None => after == *before,
            };
            if !right {
                wrong.push(format!(
                    "{what}: {before} before, {after} after\n    new:  {}\n    gone: {}",
                    later.not_in(self, what),
                    self.not_in(later, what)
                ));
            }
        }
        wrong
    }

    /// At most ten.
    fn not_in(&self, other: &Census, what: &str) -> String {
        let mut theirs = other.things.get(what).cloned().unwrap_or_default();
        let mut mine = self.things.get(what).cloned().unwrap_or_default();
        mine.retain(|thing| match theirs.iter().position(|their| their == thing) {
            Some(at) => {
                theirs.swap_remove(at);
                false
            }
            None => true,
        });
        mine.truncate(10);
        mine.join(" | ")
    }

    pub(crate) fn shown(&self, what: &str) -> String {
        self.things.get(what).cloned().unwrap_or_default().join(" | ")
    }

    pub(crate) fn summary(&self) -> String {
        let counts = self.counts.iter().map(|(what, count)| format!("{count} {what}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// In a cgroup of the instance's, but the daemon itself.
fn processes(instance: &str, daemon: Option<u32>) -> Result<Vec<(u32, String)>> {
    let own = format!("rs-{instance}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        if Some(pid) != daemon && read("cgroup").contains(&own) {
            found.push((pid, read("comm").trim().to_owned()));
        }
    }
    Ok(found)
}

fn namespaces(pid: u32) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/ns")) else {
        return Vec::new();
    };
    let links = entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.map(|link| link.display().to_string()).collect()
}

fn named_namespaces(instance: &str) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir("/run/netns") {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.contains(instance) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

fn mounts(of: &str, instance: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{of}/mountinfo"))
        .with_context(|| format!("reading the mounts of {of}"))?;
    let points = text.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points
        .filter(|point| point.contains(instance) || point.contains("/rs-churn-"))
        .map(|point| format!("{of}: {point}"))
        .collect())
}

fn cgroups(folder: &Path, own: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = entry.path();
                if path.to_string_lossy().contains(own) {
                    found.push(path.display().to_string());
                }
                folders.push(path);
            }
        }
    }
    found
}

/// Tables, chains, rules, sets and the elements of sets, without the numbers that change.
fn firewall(rules: &str) -> Vec<String> {
    let Ok(all) = serde_json::from_str::<Value>(rules) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for object in all["nftables"].as_array().into_iter().flatten() {
        for (kind, object) in object.as_object().into_iter().flatten() {
            if kind == "metainfo" {
                continue;
            }
            let name = |member: &str| object[member].as_str().unwrap_or_default().to_owned();
            let shown = format!("{kind} {} {} {}", name("table"), name("chain"), name("name"));
            for element in object["elem"].as_array().into_iter().flatten() {
                found.push(format!("{shown} {element}"));
            }
            found.push(shown);
        }
    }
    found
}

fn descriptors(pid: u32) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        if let Ok(link) = std::fs::read_link(entry?.path()) {
            let shown = link.display().to_string();
            // The number of a socket or a pipe says nothing.
            found.push(shown.split(":[").next().unwrap_or_default().to_owned());
        }
    }
    Ok(found)
}

fn threads(pid: u32) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let name = std::fs::read_to_string(entry?.path().join("comm")).unwrap_or_default();
        found.push(name.trim().to_owned());
    }
    Ok(found)
}

/// Resident memory of a process, in bytes.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .context("VmRSS of the daemon")?;
    Ok(kibibytes << 10)
}

fn output(program: &str, words: &[&str]) -> Result<String> {
    let done = Command::new(program)
        .args(words)
        .output()
        .with_context(|| format!("running {program}"))?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(str::to_owned)
}
