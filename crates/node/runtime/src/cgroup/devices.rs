//! Which devices a container may open. The default capabilities let it make device nodes, so without this
//! its root user could open the machine's disk. v1 has a controller; v2 wants a BPF program, small enough to
//! be put together by hand, which spares a C library.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::devices::Node;
use crate::error::{Error, Result};

/// Devices that may be opened. Any node may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    block: bool,
    major: u32,
    /// No minor means all.
    minor: Option<u32>,
    read: bool,
    write: bool,
}

const fn node(major: u32, minor: Option<u32>) -> Allowed {
    Allowed {
        block: false,
        major,
        minor,
        read: true,
        write: true,
    }
}

/// null, zero, full, random, urandom, tty, console, ptmx, and the pseudo terminals.
const STANDARD: [Allowed; 9] = [
    node(1, Some(3)),
    node(1, Some(5)),
    node(1, Some(7)),
    node(1, Some(8)),
    node(1, Some(9)),
    node(5, Some(0)),
    node(5, Some(1)),
    node(5, Some(2)),
    node(136, None),
];

/// The v1 rules that allow making nodes.
pub(super) const MAKE_NODES: [&str; 2] = ["c *:* m", "b *:* m"];

/// The standard ones and those that the container is given. Of one that is given twice, each permission.
pub(super) fn allowed(nodes: &[Node]) -> Vec<Allowed> {
    let given = nodes
        .iter()
        .filter(|node| node.read || node.write)
        .map(|node| Allowed {
            block: node.block,
            major: node.major,
            minor: Some(node.minor),
            read: node.read,
            write: node.write,
        });
    STANDARD.into_iter().chain(given).collect()
}

impl Allowed {
    /// As `devices.allow` takes it.
    pub(super) fn v1(&self) -> String {
        let minor = self
            .minor
            .map_or_else(|| "*".to_owned(), |minor| minor.to_string());
        let kind = if self.block { 'b' } else { 'c' };
        let (read, write) = (
            if self.read { "r" } else { "" },
            if self.write { "w" } else { "" },
        );
        format!("{kind} {}:{minor} {read}{write}m", self.major)
    }
}

// From linux/bpf.h.
const ACCESS_MKNOD: i32 = 1;
const ACCESS_READ: i32 = 2;
const ACCESS_WRITE: i32 = 4;
const TYPE_BLOCK: i32 = 1;
const TYPE_CHAR: i32 = 2;
const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// One BPF instruction.
#[repr(C)]
#[derive(Clone, Copy)]
struct Insn {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn insn(code: u8, dst: u8, src: u8, offset: i16, immediate: i32) -> Insn {
    Insn {
        code,
        registers: dst | src << 4,
        offset,
        immediate,
    }
}

/// Returns 1 for what is allowed. Its argument (r1) points to access and type, major, minor.
fn program(allowed: &[Allowed]) -> Vec<Insn> {
    let load = |dst, offset| insn(0x61, dst, 1, offset, 0);
    let unless = |dst, value, skip| insn(0x55, dst, 0, skip, value);
    let verdict = |allow| [insn(0xb7, 0, 0, 0, allow), insn(0x95, 0, 0, 0, 0)];
    // r2 type, r3 access, r4 major, r5 minor
    let mut code = vec![
        load(2, 0),
        insn(0xbc, 3, 2, 0, 0),
        insn(0x54, 2, 0, 0, 0xffff),
        insn(0x74, 3, 0, 0, 16),
        load(4, 4),
        load(5, 8),
        unless(3, ACCESS_MKNOD, 2),
    ];
    code.extend(verdict(1));
    for allowed in allowed {
        let mut rule = Vec::new();
        let denied =
            if allowed.read { 0 } else { ACCESS_READ } | if allowed.write { 0 } else { ACCESS_WRITE };
        // From the end, so that each test knows how far it is to the next rule.
        rule.extend(verdict(1));
        if denied != 0 {
            // r0 = access & denied; anything left means no.
            let far = rule.len() as i16;
            rule.splice(
                0..0,
                [
                    insn(0xbc, 0, 3, 0, 0),
                    insn(0x54, 0, 0, 0, denied),
                    unless(0, 0, far),
                ],
            );
        }
        if let Some(minor) = allowed.minor {
            rule.insert(0, unless(5, minor as i32, rule.len() as i16));
        }
        rule.insert(0, unless(4, allowed.major as i32, rule.len() as i16));
        let kind = if allowed.block { TYPE_BLOCK } else { TYPE_CHAR };
        rule.insert(0, unless(2, kind, rule.len() as i16));
        code.extend(rule);
    }
    code.extend(verdict(0));
    code
}

/// Attaches the program to the v2 group at `dir`, for as long as the group exists.
pub(super) fn restrict(dir: &Path, allowed: &[Allowed]) -> Result<()> {
    let attach = || -> io::Result<()> {
        let group = File::open(dir)?;
        let program = load(&program(allowed))?;
        #[repr(C)]
        struct Attach {
            target: u32,
            program: u32,
            kind: u32,
            flags: u32,
        }
        let attributes = Attach {
            target: group.as_raw_fd() as u32,
            program: program.as_raw_fd() as u32,
            kind: ATTACH_CGROUP_DEVICE,
            flags: ALLOW_MULTI,
        };
        bpf(PROG_ATTACH, &attributes).map(drop)
    };
    attach().map_err(|err| {
        Error::Cgroup(format!(
            "could not restrict devices of {}: {err}; the kernel needs CONFIG_CGROUP_BPF",
            dir.display()
        ))
    })
}

fn load(code: &[Insn]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        code: u64,
        license: u64,
        log: [u32; 4],
        kernel: u32,
        flags: u32,
    }
    let attributes = Load {
        kind: PROG_TYPE_CGROUP_DEVICE,
        count: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log: [0; 4],
        kernel: 0,
        flags: 0,
    };
    let fd = bpf(PROG_LOAD, &attributes)?;
    // JUSTIFICATION: bpf(2) returns a bare number.
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<i32> {
    // JUSTIFICATION: bpf(2) has no wrapper in libc, nix or rustix.
    // SAFETY: the structure begins as the kernel's attribute union for this command does, is passed with its
    // size (the kernel takes the rest as zero), and what it points to outlives the call.
    match unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) } {
        -1 => Err(io::Error::last_os_error()),
        fd => Ok(fd as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// In the v2 tree of a hybrid machine, which has no controllers but runs the program all the same.
    #[test]
    fn the_program_lets_null_pass_and_stops_a_block_device() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        let unified = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let mount = words.next()?;
            (words.next()? == "cgroup2").then(|| mount.to_owned())
        });
        let group = Path::new(&unified.expect("cgroup2 is mounted")).join("rs-devices-test");
        std::fs::create_dir_all(&group).expect("a group (needs root)");
        let zero = Node {
            path: "/dev/z".into(),
            block: false,
            major: 1,
            minor: 11,
            mode: 0o666,
            uid: 0,
            gid: 0,
            read: false,
            write: true,
            mknod: false,
        };
        restrict(&group, &allowed(&[zero])).expect("attached");
        let tmp = tempfile::tempdir().expect("a directory");
        let script = "echo $$ > \"$1/cgroup.procs\" && cd \"$2\" && mknod b b 7 0 && mknod k c 1 1 && mknod z c 1 11 && \
             echo x > /dev/null && head -c1 /dev/zero > /dev/null && \
             ! (: < b) 2>/dev/null && ! (: < k) 2>/dev/null && \
             : > z && ! (: < z) 2>/dev/null";
        let status = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&group)
            .arg(tmp.path())
            .status();
        let removed = std::fs::remove_dir(&group);
        assert!(status.expect("a shell").success());
        removed.expect("removed");
    }
}
