//! Reading the profile and deciding, per architecture, what becomes of each call.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Action, Condition, Op};

const DOCKER: &str = include_str!("../../data/docker-default.json");
const SINCE: &str = include_str!("../../data/since.json");
const NUMBERS: &str = include_str!("../../data/syscalls.tsv");
/// Older kernels cannot run containers here at all, so what the profile allows from an older one on, it allows.
const OLDEST_KERNEL: (u32, u32) = (5, 12);

/// An architecture that the kernel tells a filter about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arch {
    /// `AUDIT_ARCH_...` of linux/audit.h.
    pub(super) audit: u32,
    /// The column of `syscalls.tsv`.
    column: usize,
    /// As the profile names it. A call of a 32-bit program is judged as the machine it runs on.
    name: &'static str,
}

/// Those that programs of a machine may use, its own first. Empty for a machine that nobody has tried.
pub(super) fn arches(machine: &str) -> &'static [Arch] {
    const X86_64: Arch = Arch {
        audit: 0xC000_003E,
        column: 1,
        name: "amd64",
    };
    const I386: Arch = Arch {
        audit: 0x4000_0003,
        column: 2,
        name: "amd64",
    };
    const AARCH64: Arch = Arch {
        audit: 0xC000_00B7,
        column: 3,
        name: "arm64",
    };
    match machine {
        "x86_64" => &[X86_64, I386],
        "aarch64" => &[AARCH64],
        _ => &[],
    }
}

/// What becomes of one call: the first rule whose conditions all hold, or else a refusal.
pub(super) type Rules = Vec<(Vec<Condition>, Action)>;

pub(super) struct Verdicts {
    pub(super) by_number: BTreeMap<u32, Rules>,
    /// Calls beyond this one were not known when the profile was written.
    pub(super) last: u32,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    withdrawn: Vec<String>,
    syscalls: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    names: Vec<String>,
    action: String,
    errno_ret: Option<u16>,
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: When,
    #[serde(default)]
    excludes: When,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: Op,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct When {
    caps: Vec<String>,
    arches: Vec<String>,
    min_kernel: Option<String>,
}

impl Entry {
    fn applies(&self, arch: Arch, has: &dyn Fn(&str) -> bool) -> bool {
        let named = |when: &When| when.arches.iter().any(|name| name == arch.name);
        let old_enough = |version: &String| {
            let mut parts = version
                .split('.')
                .map(|part| part.parse::<u32>().unwrap_or(u32::MAX));
            (parts.next().unwrap_or(u32::MAX), parts.next().unwrap_or(0)) <= OLDEST_KERNEL
        };
        self.includes.caps.iter().all(|cap| has(cap))
            && (self.includes.arches.is_empty() || named(&self.includes))
            && self.includes.min_kernel.as_ref().is_none_or(old_enough)
            && !self.excludes.caps.iter().any(|cap| has(cap))
            && !named(&self.excludes)
    }

    fn action(&self) -> Result<Action, String> {
        match self.action.as_str() {
            "SCMP_ACT_ALLOW" => Ok(Action::Allow),
            "SCMP_ACT_ERRNO" => Ok(Action::Errno(self.errno_ret.unwrap_or(libc::EPERM as u16))),
            other => Err(format!("the profile has the action {other}, which is not known")),
        }
    }
}

pub(super) fn verdicts(arch: Arch, has: &dyn Fn(&str) -> bool) -> Result<Verdicts, String> {
    let numbers = numbers(arch);
    let mut by_number: BTreeMap<u32, Rules> = BTreeMap::new();
    let read = |text| serde_json::from_str::<Profile>(text).map_err(|err| format!("the profile: {err}"));
    let (docker, since) = (read(DOCKER)?, read(SINCE)?);
    let kept = |name: &&String| !since.withdrawn.contains(name);
    let all = docker
        .syscalls
        .iter()
        .flat_map(|entry| entry.names.iter().filter(kept).map(move |name| (entry, name)));
    let later = since
        .syscalls
        .iter()
        .flat_map(|entry| entry.names.iter().map(move |name| (entry, name)));
    for (entry, name) in all.chain(later) {
        let Some(number) = numbers.get(name.as_str()).filter(|_| entry.applies(arch, has)) else {
            continue;
        };
        let conditions = entry.args.iter().flatten().map(|argument| Condition {
            argument: argument.index,
            op: argument.op,
            value: argument.value,
            masked: argument.value_two,
        });
        let rule = (conditions.collect(), entry.action()?);
        let rules = by_number.entry(*number).or_default();
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    for rules in by_number.values_mut() {
        // One without conditions decides, whatever the others say.
        if let Some(always) = rules.iter().find(|(conditions, _)| conditions.is_empty()) {
            *rules = vec![always.clone()];
        }
    }
    let last = numbers.values().copied().max().unwrap_or(0);
    Ok(Verdicts { by_number, last })
}

/// Numbers of system calls by name.
pub(super) fn numbers(arch: Arch) -> BTreeMap<&'static str, u32> {
    let lines = NUMBERS.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let name = line.split('\t').next()?;
            Some((name, line.split('\t').nth(arch.column)?.parse().ok()?))
        })
        .collect()
}
