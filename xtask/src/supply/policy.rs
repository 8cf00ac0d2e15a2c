//! What `deny.toml` allows. The file has the form of `cargo deny`'s own, of which this reads what can be judged
//! without a network.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

#[derive(Deserialize)]
struct File {
    licenses: Licenses,
    #[serde(default)]
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
    #[serde(default)]
    clarify: Vec<Clarified>,
}

#[derive(Deserialize)]
struct Exception {
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Clarified {
    name: String,
    expression: String,
}

#[derive(Default, Deserialize)]
struct Bans {
    #[serde(default)]
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    name: String,
    reason: String,
}

pub(super) struct Policy {
    allow: BTreeSet<String>,
    exceptions: BTreeMap<String, BTreeSet<String>>,
    clarified: BTreeMap<String, String>,
    bans: BTreeMap<String, String>,
}

impl Policy {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let File { licenses, bans } = toml::from_str(text).context("reading deny.toml")?;
        let Licenses {
            allow,
            exceptions,
            clarify,
        } = licenses;
        Ok(Self {
            allow: allow.into_iter().collect(),
            exceptions: exceptions
                .into_iter()
                .map(|exception| (exception.name, exception.allow.into_iter().collect()))
                .collect(),
            clarified: clarify
                .into_iter()
                .map(|clarified| (clarified.name, clarified.expression))
                .collect(),
            bans: bans.deny.into_iter().map(|ban| (ban.name, ban.reason)).collect(),
        })
    }

    /// Why a crate may not be used at all.
    pub(super) fn ban(&self, name: &str) -> Option<&str> {
        self.bans.get(name).map(String::as_str)
    }

    /// What the licence of a crate is, where its manifest does not say.
    pub(super) fn clarified(&self, name: &str) -> Option<&str> {
        self.clarified.get(name).map(String::as_str)
    }

    /// Whether a way through the licence expression uses only what is allowed.
    pub(super) fn license(&self, name: &str, stated: &str) -> Result<(), String> {
        let stated = self.clarified(name).unwrap_or(stated);
        let expression = Expression::parse_mode(stated, ParseMode::LAX)
            .map_err(|error| format!("the licence {stated:?} is no expression: {}", error.reason))?;
        let excepted = self.exceptions.get(name);
        let allowed = |wanted: &LicenseReq| {
            let wanted = wanted.to_string();
            self.allow.contains(&wanted) || excepted.is_some_and(|excepted| excepted.contains(&wanted))
        };
        if expression.evaluate(allowed) {
            Ok(())
        } else {
            Err(format!(
                "the licence {stated} is not among those that deny.toml allows"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_through_the_expression_is_enough() {
        let policy = Policy::parse(
            "[licenses]\nallow = ['MIT', 'Apache-2.0', 'Apache-2.0 WITH LLVM-exception']\n\
             exceptions = [{ name = 'weak', allow = ['MPL-2.0'] }]\n\
             clarify = [{ name = 'odd', expression = 'MIT' }]\n",
        )
        .expect("a policy");
        for (name, stated, good) in [
            ("a", "MIT", true),
            ("a", "GPL-3.0-only OR MIT", true),
            ("a", "MIT/Apache-2.0", true),
            ("a", "GPL-3.0-only AND MIT", false),
            ("a", "(GPL-3.0-only OR MIT) AND Apache-2.0", true),
            ("a", "Apache-2.0 WITH LLVM-exception", true),
            ("a", "MPL-2.0", false),
            ("weak", "MPL-2.0 OR LGPL-3.0-or-later", true),
            ("odd", "what it says in the file", true),
            ("a", "what it says in the file", false),
            ("a", "", false),
        ] {
            assert_eq!(policy.license(name, stated).is_ok(), good, "{name}: {stated}");
        }
    }
}
