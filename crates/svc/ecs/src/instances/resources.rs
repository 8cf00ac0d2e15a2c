//! `totalResources` of a registration and the two lists a description shows: the same form both ways.

use std::collections::BTreeSet;

use roadstead_api_ecs::Resource;
use roadstead_placement::Capacity;

use crate::error::{Error, Result};
use crate::instances::record::Registered;
use crate::stored::Stored;

/// Entries of one registration; an agent sends five or six.
const MAX: usize = 64;

pub(super) fn read(resources: Vec<Resource>) -> Result<Registered> {
    if resources.len() > MAX {
        return Err(Error::invalid(format!(
            "totalResources can have at most {MAX} items."
        )));
    }
    let mut registered = Registered::default();
    let mut seen = BTreeSet::new();
    for resource in resources {
        let name = resource.name.clone().unwrap_or_default();
        if name.is_empty() || !seen.insert(name.clone()) {
            return Err(Error::invalid(format!(
                "totalResources: the name {name:?} is empty or given twice."
            )));
        }
        match name.as_str() {
            "CPU" => registered.cpu = number(&resource)?,
            "MEMORY" => registered.memory = number(&resource)?,
            "PORTS" => registered.tcp = ports(&resource)?,
            "PORTS_UDP" => registered.udp = ports(&resource)?,
            // Tasks would be placed by it, and nothing here hands a GPU to a container.
            "GPU" => return Err(Error::unsupported("totalResources GPU")),
            _ => registered.others.push(Stored(resource)),
        }
    }
    match (seen.contains("CPU"), seen.contains("MEMORY")) {
        (true, true) => Ok(registered),
        _ => Err(Error::invalid("totalResources must have CPU and MEMORY.")),
    }
}

fn number(resource: &Resource) -> Result<i64> {
    let value = match resource.r#type.as_deref() {
        Some("INTEGER") => resource.integer_value.map(i64::from),
        Some("LONG") => resource.long_value,
        Some("DOUBLE") => resource.double_value.map(|value| value as i64),
        _ => None,
    };
    // Far more than any machine has, and far from an overflow of a sum over all its tasks.
    value
        .filter(|value| (0..=1 << 40).contains(value))
        .ok_or_else(|| wrong(resource))
}

fn ports(resource: &Resource) -> Result<BTreeSet<u16>> {
    if resource.r#type.as_deref() != Some("STRINGSET") {
        return Err(wrong(resource));
    }
    let ports = resource.string_set_value.iter().flatten();
    ports
        .map(|port| port.parse().map_err(|_| wrong(resource)))
        .collect()
}

fn wrong(resource: &Resource) -> Error {
    let name = resource.name.as_deref().unwrap_or_default();
    Error::invalid(format!(
        "totalResources: {name} has no value of a type that fits it."
    ))
}

fn whole(name: &str, value: i64) -> Resource {
    Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })),
        string_set_value: None,
    }
}

fn set(name: &str, ports: &BTreeSet<u16>) -> Resource {
    Resource {
        name: Some(name.to_owned()),
        r#type: Some("STRINGSET".to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(0),
        string_set_value: Some(ports.iter().map(u16::to_string).collect()),
    }
}

fn list(
    cpu: i64,
    memory: i64,
    tcp: &BTreeSet<u16>,
    udp: &BTreeSet<u16>,
    others: &[Stored<Resource>],
) -> Vec<Resource> {
    let mut list = vec![
        whole("CPU", cpu),
        whole("MEMORY", memory),
        set("PORTS", tcp),
        set("PORTS_UDP", udp),
    ];
    list.extend(others.iter().map(|other| other.0.clone()));
    list
}

pub(super) fn registered(registered: &Registered) -> Vec<Resource> {
    let Registered {
        cpu,
        memory,
        tcp,
        udp,
        others,
    } = registered;
    list(*cpu, *memory, tcp, udp, others)
}

/// What is left; for ports, what is taken, as the service shows it.
pub(super) fn remaining(registered: &Registered, left: &Capacity) -> Vec<Resource> {
    let ports = &left.used_ports;
    list(left.cpu, left.memory, &ports.tcp, &ports.udp, &registered.others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, kind: &str) -> Resource {
        Resource {
            name: Some(name.into()),
            r#type: Some(kind.into()),
            ..Resource::default()
        }
    }

    #[test]
    fn registrations_without_readable_resources_are_refused() {
        let cpu = Resource {
            integer_value: Some(1024),
            ..resource("CPU", "INTEGER")
        };
        let memory = Resource {
            long_value: Some(2048),
            ..resource("MEMORY", "LONG")
        };
        let ports = Resource {
            string_set_value: Some(vec!["22".into()]),
            ..resource("PORTS", "STRINGSET")
        };
        let good = read(vec![cpu.clone(), memory.clone(), ports]).expect("reads");
        assert_eq!((good.cpu, good.memory, good.tcp.len()), (1024, 2048, 1));
        let double = Resource {
            double_value: Some(512.0),
            ..resource("CPU", "DOUBLE")
        };
        assert_eq!(read(vec![double, memory.clone()]).expect("reads").cpu, 512);
        let negative = Resource {
            integer_value: Some(-1),
            ..resource("CPU", "INTEGER")
        };
        let word = Resource {
            string_set_value: Some(vec!["ssh".into()]),
            ..resource("PORTS", "STRINGSET")
        };
        for bad in [
            vec![cpu.clone()],
            vec![cpu.clone(), cpu.clone(), memory.clone()],
            vec![negative, memory.clone()],
            vec![resource("CPU", "INTEGER"), memory.clone()],
            vec![cpu.clone(), memory.clone(), word],
            vec![cpu.clone(), memory.clone(), resource("PORTS", "INTEGER")],
            vec![cpu, memory, resource("GPU", "STRINGSET")],
        ] {
            assert!(read(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
