//! Options taken one after another, so that what nobody took is known at the end, and each fault carries its names.

use std::collections::BTreeMap;

use roadstead_awslogs::{Delivery, DeliveryFault};

use crate::fault::Fault;
use crate::tag::Tag;

/// As much of a value as a fault repeats.
const SHOWN: usize = 64;

pub(crate) struct Reader {
    driver: &'static str,
    left: BTreeMap<String, String>,
}

impl Reader {
    pub(crate) fn new(driver: &'static str, options: &BTreeMap<String, String>) -> Self {
        Self {
            driver,
            left: options.clone(),
        }
    }

    /// The value of an option; whoever takes it makes it true.
    pub(crate) fn take(&mut self, option: &str) -> Option<String> {
        self.left.remove(option)
    }

    /// Takes a value that `read` understands.
    pub(crate) fn read<T>(
        &mut self,
        option: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.take(option) else {
            return Ok(None);
        };
        match read(&value) {
            Ok(read) => Ok(Some(read)),
            Err(why) => Err(Fault::Value {
                driver: self.driver,
                option,
                value: value.chars().take(SHOWN).collect(),
                why,
            }),
        }
    }

    pub(crate) fn flag(&mut self, option: &'static str) -> Result<Option<bool>, Fault> {
        // What Go's ParseBool takes, as Docker's drivers do.
        self.read(option, |value| match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err("it is true or false".to_owned()),
        })
    }

    pub(crate) fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
        &mut self,
        option: &'static str,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, Fault> {
        self.read(option, |value| {
            let read = value.parse().ok().filter(|number| range.contains(number));
            read.ok_or_else(|| format!("it is a number from {} to {}", range.start(), range.end()))
        })
    }

    /// Refuses options that are the driver's own and have no effect here.
    pub(crate) fn refuse(&self, options: &[&str]) -> Result<(), Fault> {
        match options.iter().find(|option| self.left.contains_key(**option)) {
            Some(option) => Err(self.unsupported(option)),
            None => Ok(()),
        }
    }

    /// Refuses options that count only together with another one, which is not there.
    pub(crate) fn only_with(&self, with: &'static str, options: &[&'static str]) -> Result<(), Fault> {
        match options.iter().find(|option| self.left.contains_key(**option)) {
            Some(option) => Err(Fault::Without {
                driver: self.driver,
                option,
                with,
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn unsupported(&self, option: &str) -> Fault {
        Fault::Unsupported {
            driver: self.driver,
            option: option.to_owned(),
        }
    }

    pub(crate) fn tag(&mut self) -> Result<Tag, Fault> {
        Ok(self.read("tag", Tag::read)?.unwrap_or_default())
    }

    /// How the container and its lines wait for each other.
    pub(crate) fn delivery(&mut self) -> Result<Delivery, Fault> {
        let (mode, size) = (self.take("mode"), self.take("max-buffer-size"));
        Delivery::read(mode.as_deref(), size.as_deref()).map_err(|fault| match fault {
            DeliveryFault::Value { option, value, why } => Fault::Value {
                driver: self.driver,
                option,
                value,
                why: why.to_owned(),
            },
            DeliveryFault::BufferOfBlocking => Fault::Without {
                driver: self.driver,
                option: "max-buffer-size",
                with: "'mode' = 'non-blocking'",
            },
        })
    }

    /// # Errors
    /// An option that nobody took.
    pub(crate) fn end(self) -> Result<(), Fault> {
        match self.left.into_keys().next() {
            Some(option) => Err(Fault::Unknown {
                driver: self.driver,
                option: option.chars().take(SHOWN).collect(),
            }),
            None => Ok(()),
        }
    }
}
