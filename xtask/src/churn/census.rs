//! What a Roadstead has on the machine, counted: only what carries its instance's name or belongs to its processes,
//! since the machine has other users.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Idle connections and the pool of blocking threads come and go by a few, whatever happens; of what was before counts the
/// least, since many that are busy at a time stay for ten seconds more.
const SLACK: [(&str, u64); 2] = [("descriptors of the daemon", 3), ("threads of the daemon", 3)];

#[derive(Debug, Default)]
pub(crate) struct Census {
    pub counts: BTreeMap<&'static str, u64>,
    things: BTreeMap<&'static str, Vec<String>>,
    /// Of the daemon, resident, in bytes.
    pub memory: u64,
}

impl Census {
    /// Counts what carries the instance's name or lies in its folder; with a daemon, also what that process holds.
    pub(crate) fn of_the_machine(instance: &str, folder: &Path, daemon: Option<u32>) -> Result<Self> {
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
        let mut mounts = mounts("self", instance, folder)?;
        if let Some(daemon) = daemon {
            mounts.extend(self::mounts(&daemon.to_string(), instance, folder)?);
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

    /// Whether nothing changed until the later one but what comes and goes by itself. Of that, it keeps whichever had less.
    pub(crate) fn stays(&mut self, later: &Census) -> bool {
        let other = |what: &str| later.counts.get(what).copied().unwrap_or(0);
        let steady = self
            .counts
            .iter()
            .all(|(what, before)| slack(what).is_some() || other(what) == *before);
        for (what, count) in &mut self.counts {
            if steady && slack(what).is_some() && other(what) < *count {
                *count = other(what);
                self.things
                    .insert(what, later.things.get(what).cloned().unwrap_or_default());
            }
        }
        self.memory = later.memory;
        steady
    }

    /// What there is more or less of than in this one.
    pub(crate) fn differences(&self, later: &Census) -> Vec<String> {
        let mut wrong = Vec::new();
        for (what, before) in &self.counts {
            let after = later.counts.get(what).copied().unwrap_or(0);
            let right = match slack(what) {
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

fn slack(what: &str) -> Option<u64> {
    let found = SLACK.iter().find(|(name, _)| *name == what);
    found.map(|(_, slack)| *slack)
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
        if name.starts_with(&format!("rs-{instance}-")) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

fn mounts(of: &str, instance: &str, folder: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{of}/mountinfo"))
        .with_context(|| format!("reading the mounts of {of}"))?;
    let found = text.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(found
        .filter(|point| is_own(point, instance, folder))
        .map(|point| format!("{of}: {point}"))
        .collect())
}

/// The few digits of an instance's id alone are also found in others' hashes.
fn is_own(point: &str, instance: &str, folder: &Path) -> bool {
    Path::new(point).starts_with(folder) || point.contains(&format!("rs-{instance}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn census(threads: u64, mounts: u64) -> Census {
        Census {
            counts: BTreeMap::from([("threads of the daemon", threads), ("mounts", mounts)]),
            ..Census::default()
        }
    }

    #[test]
    fn what_comes_and_goes_by_itself_changes_nothing_and_counts_at_its_least() {
        for (later, steady, threads) in [
            (census(10, 5), true, 10),
            (census(30, 5), true, 10),
            (census(7, 5), true, 7),
            (census(7, 6), false, 10),
            (census(10, 4), false, 10),
        ] {
            let mut before = census(10, 5);
            assert_eq!(before.stays(&later), steady, "{later:?}");
            assert_eq!(before.counts["threads of the daemon"], threads, "{later:?}");
        }
        let first = census(10, 5);
        assert!(first.differences(&census(13, 5)).is_empty());
        assert_eq!(
            first.differences(&census(14, 5)).len(),
            1,
            "more than come and go"
        );
    }

    #[test]
    fn mounts_of_others_are_not_counted() {
        let folder = Path::new("/tmp/rs-churn-12");
        for (point, own) in [
            ("/tmp/rs-churn-12/data/containers/x", true),
            ("/run/netns/rs-ab12f-agent", true),
            ("/tmp/rs-churn-123/data/containers/x", false),
            ("/tmp/other/layers/99ab12f00/root", false),
        ] {
            assert_eq!(is_own(point, "ab12f", folder), own, "{point}");
        }
    }
}
