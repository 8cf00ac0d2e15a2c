//! `labels`, `labels-regex`, `env`, `env-regex`: labels and variables of the container that go with each of its lines.

use std::collections::BTreeMap;

use regex::Regex;

use crate::Facts;
use crate::fault::Fault;
use crate::reader::Reader;

/// Which labels and variables.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    labels: Chosen,
    environment: Chosen,
}

#[derive(Clone, Debug, Default)]
struct Chosen {
    names: Vec<String>,
    pattern: Option<Regex>,
}

impl PartialEq for Chosen {
    fn eq(&self, other: &Self) -> bool {
        let pattern = |of: &Self| of.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
        self.names == other.names && pattern(self) == pattern(other)
    }
}

impl PartialEq for Extras {
    fn eq(&self, other: &Self) -> bool {
        self.labels == other.labels && self.environment == other.environment
    }
}

impl Chosen {
    fn read(reader: &mut Reader, names: &str, pattern: &'static str) -> Result<Self, Fault> {
        let names = reader.take(names).unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names = names.map(str::to_owned).collect();
        let pattern = reader.read(pattern, |text| {
            let read = Regex::new(text);
            read.map_err(|error| roadstead_awslogs::last_line(&error))
        })?;
        // Nothing chosen by nothing.
        let pattern = pattern.filter(|pattern| !pattern.as_str().is_empty());
        Ok(Self { names, pattern })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|chosen| chosen == name)
            || self
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(name))
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.pattern.is_none()
    }
}

impl Extras {
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, Fault> {
        Ok(Self {
            labels: Chosen::read(reader, "labels", "labels-regex")?,
            environment: Chosen::read(reader, "env", "env-regex")?,
        })
    }

    /// Nothing is chosen.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.environment.is_empty()
    }

    /// A variable counts where a label has the same name.
    pub(crate) fn of(&self, facts: &Facts) -> BTreeMap<String, String> {
        let labels = facts.labels.iter().filter(|(name, _)| self.labels.has(name));
        let environment = facts
            .environment
            .iter()
            .filter(|(name, _)| self.environment.has(name));
        let both = labels.chain(environment);
        both.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
