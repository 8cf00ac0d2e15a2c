//! The size of a task: how it may be written, and the sizes that Fargate has. Source: the Amazon ECS API
//! reference, RegisterTaskDefinition, `cpu` and `memory`.

use crate::error::{Error, Result};

/// CPU units a task of launch type EC2 may ask for.
const CPU: std::ops::RangeInclusive<i64> = 128..=196_608;
/// MiB; below this no container starts.
pub(super) const LEAST_MEMORY: i64 = 6;
const UNITS: f64 = 1024.0;

/// CPU units and MiB of the whole task, where they are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskSize {
    pub(super) cpu: Option<i64>,
    pub(super) memory: Option<i64>,
}

/// Reads `256`, `.25 vCPU` or `1 vcpu`, and `512`, `1GB` or `1 GB`.
pub(super) fn read(cpu: Option<&str>, memory: Option<&str>) -> Result<TaskSize> {
    let invalid = |what: &str| Error::client(format!("Invalid '{what}' setting for task."));
    let cpu = cpu.map(|text| {
        units(text, "vcpu")
            .filter(|cpu| CPU.contains(cpu))
            .ok_or_else(|| invalid("cpu"))
    });
    let memory = memory.map(|text| {
        let whole = units(text, "gb").filter(|memory| (LEAST_MEMORY..=i64::from(i32::MAX)).contains(memory));
        whole.ok_or_else(|| invalid("memory"))
    });
    Ok(TaskSize {
        cpu: cpu.transpose()?,
        memory: memory.transpose()?,
    })
}

/// A whole number of units, or a decimal number of `big` ones of 1024 each.
fn units(text: &str, big: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let Some(number) = text.strip_suffix(big) else {
        return if text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().ok()
        } else {
            None
        };
    };
    let number = number.trim();
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let units = number.parse::<f64>().ok()? * UNITS;
    (units.fract() == 0.0 && units < f64::from(i32::MAX)).then_some(units as i64)
}

/// Why Fargate has no place for a task of this size; none if it has.
pub(super) fn fargate_obstacle(size: TaskSize) -> Option<String> {
    let missing = |what: &str| {
        Some(format!(
            "Fargate requires that '{what}' be defined at the task level."
        ))
    };
    let Some(cpu) = size.cpu else {
        return missing("cpu");
    };
    let Some(memory) = size.memory else {
        return missing("memory");
    };
    (!is_fargate(cpu, memory)).then(|| {
        format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS \
             documentation for the valid values."
        )
    })
}

/// The published sizes, 74 of them.
fn is_fargate(cpu: i64, memory: i64) -> bool {
    const GB: i64 = 1024;
    let (least, most, step) = match cpu {
        256 => return [512, GB, 2 * GB].contains(&memory),
        512 => (1, 4, 1),
        1024 => (2, 8, 1),
        2048 => (4, 16, 1),
        4096 => (8, 30, 1),
        8192 => (16, 60, 4),
        16_384 => (32, 120, 8),
        _ => return false,
    };
    (least * GB..=most * GB).contains(&memory) && (memory - least * GB) % (step * GB) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_form() {
        let cpu = |text: &str| read(Some(text), None).ok().and_then(|size| size.cpu);
        for (text, units) in [
            ("256", 256),
            (".25 vCPU", 256),
            ("0.5vcpu", 512),
            ("1 vCPU", 1024),
            ("1 VCPU", 1024),
            ("192 vCPU", 196_608),
        ] {
            assert_eq!(cpu(text), Some(units), "{text}");
        }
        for text in [
            "", "x", "-256", "0", "127", "1.0", "vCPU", "nan vCPU", "1e3", "0.3 vCPU", "193 vCPU", "256 GB",
        ] {
            assert_eq!(cpu(text), None, "{text}");
        }
        let memory = |text: &str| read(None, Some(text)).ok().and_then(|size| size.memory);
        for (text, mib) in [
            ("512", 512),
            ("0.5GB", 512),
            ("1GB", 1024),
            ("1 GB", 1024),
            ("1 gb", 1024),
            ("6", 6),
        ] {
            assert_eq!(memory(text), Some(mib), "{text}");
        }
        for text in ["", "5", "GB", "1TB", "1,5 GB", "-1", "9999999999", "1..5GB"] {
            assert_eq!(memory(text), None, "{text}");
        }
    }

    #[test]
    fn fargate_has_74_sizes() {
        let cpus = [128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768];
        let sizes = cpus
            .iter()
            .flat_map(|cpu| (1..=512).map(move |half| (*cpu, half * 512)));
        assert_eq!(
            sizes.filter(|(cpu, memory)| is_fargate(*cpu, *memory)).count(),
            74
        );
        for (cpu, memory) in [
            (256, 4096),
            (512, 512),
            (1024, 1024),
            (8192, 18_432),
            (16_384, 36_864),
            (300, 512),
        ] {
            let obstacle = fargate_obstacle(TaskSize {
                cpu: Some(cpu),
                memory: Some(memory),
            });
            let words =
                format!("No Fargate configuration exists for given values: {cpu} CPU, {memory} memory.");
            assert!(
                obstacle.is_some_and(|obstacle| obstacle.starts_with(&words)),
                "{cpu} {memory}"
            );
        }
    }
}
