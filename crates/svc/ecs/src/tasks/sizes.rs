//! Task sizes: `256`, `.25 vCPU`, `1 GB` as numbers, and the combinations that launch type FARGATE sells.
//! Source: the developer guide, "Task CPU and memory".

use crate::error::{Error, Result};

/// CPU units of a task: `1024`, or `1 vCPU`.
pub(super) fn cpu(text: &str) -> Result<i64> {
    read(text, "vcpu", &|units| units * 1024.0)
        .filter(|units| (1..=196_608).contains(units))
        .ok_or_else(|| Error::client(format!("Invalid 'cpu' setting for task: {}", shown(text))))
}

/// MiB of a task: `1024`, or `1 GB`.
pub(super) fn memory(text: &str) -> Result<i64> {
    read(text, "gb", &|gib| gib * 1024.0)
        .filter(|mib| (1..=100_000_000).contains(mib))
        .ok_or_else(|| Error::client(format!("Invalid 'memory' setting for task: {}", shown(text))))
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

fn read(text: &str, unit: &str, scale: &dyn Fn(f64) -> f64) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.strip_suffix(unit) {
        Some(number) => {
            let number = number.trim_end();
            let value: f64 = if digits(number) {
                number.parse().ok()?
            } else {
                return None;
            };
            let scaled = scale(value);
            (scaled.fract() == 0.0 && scaled.abs() < 1e12).then_some(scaled as i64)
        }
        None => text.parse().ok(),
    }
}

/// Whether FARGATE sells this combination of CPU units and MiB.
pub(super) fn sold_by_fargate(cpu: i64, memory: i64) -> bool {
    let steps = |from: i64, to: i64, step: i64| memory >= from && memory <= to && memory % step == 0;
    const GIB: i64 = 1024;
    match cpu {
        256 => matches!(memory, 512 | 1024 | 2048),
        512 => steps(GIB, 4 * GIB, GIB),
        1024 => steps(2 * GIB, 8 * GIB, GIB),
        2048 => steps(4 * GIB, 16 * GIB, GIB),
        4096 => steps(8 * GIB, 30 * GIB, GIB),
        8192 => steps(16 * GIB, 60 * GIB, 4 * GIB),
        16384 => steps(32 * GIB, 120 * GIB, 8 * GIB),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_or_none() {
        for (text, units) in [("256", 256), (".25 vCPU", 256), ("1 vcpu", 1024), ("2vCPU", 2048)] {
            assert_eq!(cpu(text).expect(text), units);
        }
        for (text, mib) in [("512", 512), ("1 GB", 1024), ("0.5GB", 512), ("30 gb", 30720)] {
            assert_eq!(memory(text).expect(text), mib);
        }
        for bad in [
            "",
            "x",
            "-1",
            "0",
            "1 GB",
            "vcpu",
            "1.5",
            "1e3",
            "0.0001 vcpu",
            "inf vcpu",
        ] {
            assert!(cpu(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fargate_sells_its_table_only() {
        for (cpu, memory) in [
            (256, 512),
            (256, 2048),
            (512, 3072),
            (1024, 8192),
            (4096, 30720),
            (8192, 20480),
        ] {
            assert!(sold_by_fargate(cpu, memory), "{cpu}/{memory}");
        }
        for (cpu, memory) in [
            (256, 4096),
            (256, 1536),
            (100, 512),
            (512, 512),
            (8192, 17408),
            (16384, 33792),
        ] {
            assert!(!sold_by_fargate(cpu, memory), "{cpu}/{memory}");
        }
    }
}
