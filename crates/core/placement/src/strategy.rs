//! Placement strategies, as requests name them. Source: the developer guide, "Use strategies to define Amazon ECS
//! task placement".

use std::fmt;

/// Strategies in one chain. Source: the API reference, RunTask, `placementStrategy`.
pub const MAX_STRATEGIES: usize = 5;

/// What decides among instances that suit a task equally.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The instance with the least of this left, so that as few instances as possible are in use.
    Binpack(Packed),
    /// Where the fewest tasks of the same group are, by this property.
    Spread(Spread),
    /// Any.
    Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packed {
    Cpu,
    Memory,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Spread {
    /// `instanceId` or `host`, which mean the same.
    Instance,
    /// `attribute:NAME`. Instances without the attribute count as one more value.
    Attribute(String),
}

/// A strategy that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStrategy {
    #[error("the strategy {0} is none of random, spread and binpack")]
    Type(String),
    #[error("the field {field:?} is not valid for the strategy {strategy}: {expected}")]
    Field {
        strategy: &'static str,
        field: String,
        expected: &'static str,
    },
}

impl Strategy {
    /// From the two members of a request, `type` and `field`. Fields are read without regard to case, as the
    /// service converts them to lower case.
    ///
    /// # Errors
    /// What is wrong and what would be right.
    pub fn parse(kind: &str, field: &str) -> Result<Self, BadStrategy> {
        let bad = |strategy, expected| BadStrategy::Field {
            strategy,
            field: field.to_owned(),
            expected,
        };
        let lower = field.to_ascii_lowercase();
        match kind {
            "random" if field.is_empty() => Ok(Self::Random),
            "random" => Err(bad("random", "it has none")),
            "binpack" => match lower.as_str() {
                "cpu" => Ok(Self::Binpack(Packed::Cpu)),
                "memory" => Ok(Self::Binpack(Packed::Memory)),
                _ => Err(bad("binpack", "use cpu or memory")),
            },
            "spread" => match lower.as_str() {
                "instanceid" | "host" => Ok(Self::Spread(Spread::Instance)),
                _ => match lower.strip_prefix("attribute:") {
                    // The name as it was written: names of attributes tell small letters from large ones.
                    Some(name) if !name.is_empty() => {
                        let name = field.get("attribute:".len()..).unwrap_or_default();
                        Ok(Self::Spread(Spread::Attribute(name.to_owned())))
                    }
                    _ => Err(bad("spread", "use instanceId, host or attribute:NAME")),
                },
            },
            other => Err(BadStrategy::Type(other.to_owned())),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binpack(Packed::Cpu) => f.write_str("binpack(cpu)"),
            Self::Binpack(Packed::Memory) => f.write_str("binpack(memory)"),
            Self::Spread(Spread::Instance) => f.write_str("spread(instanceId)"),
            Self::Spread(Spread::Attribute(name)) => write!(f, "spread(attribute:{name})"),
            Self::Random => f.write_str("random"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_read_from_type_and_field() {
        for (kind, field, shown) in [
            ("random", "", "random"),
            ("binpack", "CPU", "binpack(cpu)"),
            ("binpack", "memory", "binpack(memory)"),
            ("spread", "instanceId", "spread(instanceId)"),
            ("spread", "host", "spread(instanceId)"),
            ("spread", "attribute:Rack", "spread(attribute:Rack)"),
            (
                "spread",
                "attribute:ecs.availability-zone",
                "spread(attribute:ecs.availability-zone)",
            ),
        ] {
            let strategy = Strategy::parse(kind, field).expect(field);
            assert_eq!(strategy.to_string(), shown);
        }
        for (kind, field) in [
            ("random", "cpu"),
            ("binpack", ""),
            ("binpack", "ports"),
            ("spread", ""),
            ("spread", "zone"),
            ("spread", "attribute:"),
            ("first", ""),
        ] {
            assert!(Strategy::parse(kind, field).is_err(), "{kind} {field}");
        }
    }
}
