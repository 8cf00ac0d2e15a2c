//! The program, run as the kernel would run it, says what the profile says: for every call there is.

use super::profile::{Arch, arches, numbers, verdicts};
use super::{Action, Insn, Op, Program, compile};

const DEFAULT: [&str; 3] = ["CAP_SYS_CHROOT", "CAP_NET_RAW", "CAP_CHOWN"];

/// What the kernel does with `number` called by a program of `arch`: the action, and the steps it took.
fn run(program: &Program, arch: u32, number: u32, args: [u64; 6]) -> (u32, usize) {
    let load = |offset: u32| match offset {
        0 => number,
        4 => arch,
        offset => {
            let at = (offset - 16) / 8;
            let word = args[at as usize];
            if offset % 8 == 0 {
                word as u32
            } else {
                (word >> 32) as u32
            }
        }
    };
    let (mut at, mut value) = (0, 0);
    for steps in 1.. {
        let Insn { code, yes, no, k } = program.0[at];
        at += 1;
        match code {
            0x20 => value = load(k),
            0x54 => value &= k,
            0x05 => at += k as usize,
            0x15 => at += usize::from(if value == k { yes } else { no }),
            0x35 => at += usize::from(if value >= k { yes } else { no }),
            0x06 => return (k, steps),
            other => panic!("instruction {other:#x}"),
        }
    }
    unreachable!()
}

fn has<'a>(caps: &'a [&str]) -> impl Fn(&str) -> bool + 'a {
    |name| caps.contains(&name)
}

fn code(action: Action) -> u32 {
    match action {
        Action::Allow => 0x7FFF_0000,
        Action::Errno(errno) => 0x0005_0000 | u32::from(errno),
    }
}

fn call(caps: &[&str], arch: Arch, name: &str, args: [u64; 6]) -> u32 {
    let program = compile::program("x86_64", &has(caps)).expect("a program");
    run(&program, arch.audit, numbers(arch)[name], args).0
}

#[test]
fn every_call_gets_the_profiles_verdict_on_every_architecture() {
    for machine in ["x86_64", "aarch64"] {
        for caps in [&DEFAULT[..], &["CAP_SYS_ADMIN", "CAP_BPF"], &[]] {
            let program = compile::program(machine, &has(caps)).expect("a program");
            for arch in arches(machine) {
                let verdicts = verdicts(*arch, &has(caps)).expect("verdicts");
                let last = verdicts.last;
                for number in 0..=last {
                    let expected = match verdicts.by_number.get(&number).map(Vec::as_slice) {
                        None => code(Action::Errno(1)),
                        Some([(conditions, action)]) if conditions.is_empty() => code(*action),
                        Some(_) => continue,
                    };
                    let (found, steps) = run(&program, arch.audit, number, [7; 6]);
                    assert_eq!(found, expected, "{machine} {arch:?} {number}");
                    assert!(steps < 24, "{number} takes {steps} steps");
                }
                assert_eq!(
                    run(&program, arch.audit, last + 1, [0; 6]).0,
                    code(Action::Errno(38))
                );
                assert_eq!(
                    run(&program, arch.audit, u32::MAX, [0; 6]).0,
                    code(Action::Errno(38))
                );
            }
            // Another machine's calls end the process.
            assert_eq!(run(&program, 0x1234, 1, [0; 6]).0, 0x8000_0000);
        }
    }
    assert!(compile::program("sparc64", &|_| true).is_err());
}

#[test]
fn the_calls_that_matter_are_judged_as_docker_judges_them() {
    let (allow, refuse, unknown) = (
        code(Action::Allow),
        code(Action::Errno(1)),
        code(Action::Errno(38)),
    );
    let [x86_64, i386] = *arches("x86_64") else {
        panic!("two architectures")
    };
    let none = [0; 6];
    for (name, expected) in [
        ("read", allow),
        ("execve", allow),
        ("chroot", allow),
        ("pkey_alloc", allow),
        ("keyctl", refuse),
        ("add_key", refuse),
        ("request_key", refuse),
        ("bpf", refuse),
        ("mount", refuse),
        ("unshare", refuse),
        ("setns", refuse),
        ("kexec_load", refuse),
        ("init_module", refuse),
        ("io_uring_setup", refuse),
        ("userfaultfd", refuse),
        ("reboot", refuse),
        ("clone3", unknown),
    ] {
        assert_eq!(call(&DEFAULT, x86_64, name, none), expected, "{name}");
        assert_eq!(
            call(&DEFAULT, i386, name, none),
            expected,
            "{name} of a 32-bit program"
        );
    }
    // What capabilities open.
    assert_eq!(call(&[], x86_64, "chroot", none), refuse);
    for name in ["mount", "bpf", "clone3", "unshare"] {
        assert_eq!(call(&["CAP_SYS_ADMIN"], x86_64, name, none), allow, "{name}");
    }
    // What arguments open and close.
    let first = |value| [value, 0, 0, 0, 0, 0];
    const CLONE_NEWUSER: u64 = 0x1000_0000;
    for (name, argument, expected) in [
        ("clone", 17, allow),
        ("clone", CLONE_NEWUSER | 17, refuse),
        ("personality", 0, allow),
        ("personality", 8, allow),
        ("personality", 0xffff_ffff, allow),
        ("personality", 0x40000, refuse),
        ("personality", 1 << 32, refuse),
        ("socket", 2, allow),
        ("socket", 40, refuse),
    ] {
        assert_eq!(
            call(&DEFAULT, x86_64, name, first(argument)),
            expected,
            "{name} {argument:#x}"
        );
    }
    assert_eq!(
        call(&["CAP_SYS_ADMIN"], x86_64, "clone", first(CLONE_NEWUSER)),
        allow
    );
}

#[test]
fn a_program_survives_its_file_and_nothing_else_is_taken_for_one() {
    let program = compile::program("x86_64", &has(&DEFAULT)).expect("a program");
    assert_eq!(Program::from_bytes(&program.to_bytes()).as_ref(), Some(&program));
    assert!(program.0.len() < 600, "{} instructions", program.0.len());
    for bytes in [&[][..], &[1, 2, 3], &[0; 9]] {
        assert_eq!(Program::from_bytes(bytes), None);
    }
}

#[test]
fn conditions_are_read_with_their_meaning() {
    let [x86_64, _] = *arches("x86_64") else {
        panic!("two architectures")
    };
    let verdicts = verdicts(x86_64, &has(&DEFAULT)).expect("verdicts");
    let clone = &verdicts.by_number[&numbers(x86_64)["clone"]];
    let [(conditions, Action::Allow)] = &clone[..] else {
        panic!("{clone:?}")
    };
    assert_eq!(
        (conditions[0].op, conditions[0].value, conditions[0].masked),
        (Op::Masked, 0x7E02_0000, 0)
    );
}
