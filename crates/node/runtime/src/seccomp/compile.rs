//! From verdicts to BPF. The numbers are cut into runs with one verdict, and the run is found by halving: a
//! dozen steps instead of hundreds. That matters less for calls, whose verdicts the kernel keeps, than for the
//! start of each container, when the kernel runs the whole program once for every call there is.

use super::profile::{self, Arch, Rules, Verdicts};
use super::{Action, Condition, Insn, Op, Program};

/// The kernel takes no longer programs.
const MAX_INSNS: usize = 4096;

// Of linux/bpf_common.h and linux/seccomp.h.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7FFF_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
// Offsets into struct seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Calls that were not known when the profile was written: a program falls back to older ones.
const UNKNOWN: Action = Action::Errno(libc::ENOSYS as u16);
const REFUSED: Action = Action::Errno(libc::EPERM as u16);

const fn insn(code: u16, yes: u8, no: u8, k: u32) -> Insn {
    Insn { code, yes, no, k }
}

fn verdict(action: Action) -> Insn {
    let k = match action {
        Action::Allow => ALLOW,
        Action::Errno(code) => ERRNO | u32::from(code),
    };
    insn(RETURN, 0, 0, k)
}

/// The filter for a machine, for a container that `has` some capabilities. Calls of architectures that the
/// machine should not be able to run end the process.
pub(super) fn program(machine: &str, has: &dyn Fn(&str) -> bool) -> Result<Program, String> {
    let arches = profile::arches(machine);
    if arches.is_empty() {
        return Err(format!(
            "there is no default system call filter for {machine}; say seccomp=unconfined to do without"
        ));
    }
    let mut code = vec![insn(LOAD, 0, 0, ARCH)];
    for arch in arches {
        let block = block(*arch, has)?;
        code.push(insn(IF_EQUAL, 1, 0, arch.audit));
        code.push(insn(JUMP, 0, 0, block.len() as u32));
        code.extend(block);
    }
    code.push(insn(RETURN, 0, 0, KILL_PROCESS));
    if code.len() > MAX_INSNS {
        return Err(format!("the system call filter has {} instructions", code.len()));
    }
    Ok(Program(code))
}

fn block(arch: Arch, has: &dyn Fn(&str) -> bool) -> Result<Vec<Insn>, String> {
    let runs = runs(&profile::verdicts(arch, has)?);
    let mut code = vec![insn(LOAD, 0, 0, NUMBER)];
    code.extend(search(&runs));
    Ok(code)
}

/// First numbers of runs, with what becomes of the calls in each.
fn runs(verdicts: &Verdicts) -> Vec<(u32, Rules)> {
    let mut runs: Vec<(u32, Rules)> = Vec::new();
    let mut push = |first: u32, rules: Rules| {
        if runs.last().is_none_or(|(_, last)| *last != rules) {
            runs.push((first, rules));
        }
    };
    for number in 0..=verdicts.last {
        let refused = || vec![(Vec::new(), REFUSED)];
        push(
            number,
            verdicts.by_number.get(&number).cloned().unwrap_or_else(refused),
        );
    }
    push(verdicts.last + 1, vec![(Vec::new(), UNKNOWN)]);
    runs
}

fn search(runs: &[(u32, Rules)]) -> Vec<Insn> {
    if let [(_, rules)] = runs {
        return leaf(rules);
    }
    let (below, above) = runs.split_at(runs.len() / 2);
    let left = search(below);
    let mut code = match u8::try_from(left.len()) {
        Ok(near) => vec![insn(IF_AT_LEAST, near, 0, above[0].0)],
        Err(_) => vec![
            insn(IF_AT_LEAST, 0, 1, above[0].0),
            insn(JUMP, 0, 0, left.len() as u32),
        ],
    };
    code.extend(left);
    code.extend(search(above));
    code
}

fn leaf(rules: &Rules) -> Vec<Insn> {
    let mut code = Vec::new();
    for (conditions, action) in rules {
        // From the last condition back, since each has to know how far it is to the next rule.
        let mut rule = vec![verdict(*action)];
        for condition in conditions.iter().rev() {
            let mut tested = test(condition, rule.len() as u8);
            tested.extend(rule);
            rule = tested;
        }
        code.extend(rule);
    }
    if rules.iter().all(|(conditions, _)| !conditions.is_empty()) {
        code.push(verdict(REFUSED));
    }
    code
}

/// Goes on behind itself if the condition holds, and `rest` instructions further if not.
fn test(condition: &Condition, rest: u8) -> Vec<Insn> {
    let Condition {
        argument,
        op,
        value,
        masked,
    } = condition;
    let low = ARGUMENTS + argument * 8;
    let (low, high) = if cfg!(target_endian = "little") {
        (low, low + 4)
    } else {
        (low + 4, low)
    };
    let halves = |number: u64| (number as u32, (number >> 32) as u32);
    let ((low_value, high_value), (low_masked, high_masked)) = (halves(*value), halves(*masked));
    match op {
        Op::Equal => vec![
            insn(LOAD, 0, 0, high),
            insn(IF_EQUAL, 0, rest + 2, high_value),
            insn(LOAD, 0, 0, low),
            insn(IF_EQUAL, 0, rest, low_value),
        ],
        // Either half differs.
        Op::NotEqual => vec![
            insn(LOAD, 0, 0, high),
            insn(IF_EQUAL, 0, 2, high_value),
            insn(LOAD, 0, 0, low),
            insn(IF_EQUAL, rest, 0, low_value),
        ],
        Op::Masked => vec![
            insn(LOAD, 0, 0, high),
            insn(AND, 0, 0, high_value),
            insn(IF_EQUAL, 0, rest + 3, high_masked),
            insn(LOAD, 0, 0, low),
            insn(AND, 0, 0, low_value),
            insn(IF_EQUAL, 0, rest, low_masked),
        ],
    }
}
