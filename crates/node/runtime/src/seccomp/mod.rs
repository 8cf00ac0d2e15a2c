//! Which system calls a container may make. The default capabilities make many calls harmless, but not all, and
//! a call that is never reached cannot have a hole. The profile is Docker's, as data; `compile` makes it the
//! program that the kernel runs, without a C library.

mod compile;
mod profile;

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::Deserialize;

use crate::capabilities;
use crate::spec::{ContainerSpec, Process, Seccomp};

/// Filters kept, one per set of capabilities. Compiling one takes about as long as making a namespace.
const MAX_KEPT: usize = 64;

/// What is to become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Allow,
    Errno(u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    argument: u32,
    op: Op,
    value: u64,
    /// What is left of the argument under the mask `value`.
    masked: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Op {
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    Masked,
}

/// One BPF instruction, as the kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Insn {
    code: u16,
    yes: u8,
    no: u8,
    k: u32,
}

/// A filter ready to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program(Vec<Insn>);

impl Program {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let bytes = |insn: &Insn| {
            let (code, k) = (insn.code.to_ne_bytes(), insn.k.to_ne_bytes());
            [code[0], code[1], insn.yes, insn.no, k[0], k[1], k[2], k[3]]
        };
        self.0.iter().flat_map(bytes).collect()
    }

    /// `None` when it is no program that was written here.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (insns, rest) = bytes.as_chunks::<8>();
        let insn = |&[a, b, yes, no, c, d, e, f]: &[u8; 8]| Insn {
            code: u16::from_ne_bytes([a, b]),
            yes,
            no,
            k: u32::from_ne_bytes([c, d, e, f]),
        };
        (rest.is_empty() && !insns.is_empty()).then(|| Self(insns.iter().map(insn).collect()))
    }
}

/// The filter that the spec asks for, if any.
pub(crate) fn program(spec: &ContainerSpec) -> Result<Option<Program>, String> {
    static KEPT: OnceLock<Mutex<HashMap<u64, Program>>> = OnceLock::new();
    if spec.privileged || spec.seccomp == Seccomp::Unconfined || matches!(spec.process, Process::Pause) {
        return Ok(None);
    }
    let granted = capabilities::of(spec)?;
    let key = granted.iter().fold(0, |bits, cap| bits | cap.bitmask());
    let mut kept = KEPT
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = kept.get(&key) {
        return Ok(Some(program.clone()));
    }
    let program = compile::program(std::env::consts::ARCH, &|name| {
        granted.iter().any(|cap| cap.to_string() == name)
    })?;
    if kept.len() < MAX_KEPT {
        kept.insert(key, program.clone());
    }
    Ok(Some(program))
}

/// Puts the calling process, and what it becomes, under the filter. Needs CAP_SYS_ADMIN or no_new_privileges.
#[allow(unsafe_code)]
pub(crate) fn load(program: &Program) -> io::Result<()> {
    const SET_MODE_FILTER: libc::c_uint = 1;
    #[repr(C)]
    struct Filter {
        length: libc::c_ushort,
        insns: *const Insn,
    }
    let filter = Filter {
        length: program.0.len().try_into().map_err(io::Error::other)?,
        insns: program.0.as_ptr(),
    };
    // JUSTIFICATION: seccomp(2) has no wrapper in libc, nix or rustix.
    // SAFETY: the structure is the kernel's sock_fprog, its length is the slice's, and the kernel copies it.
    match unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, 0, &raw const filter) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
