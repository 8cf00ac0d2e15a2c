//! A whole rule set as a value, so that "what must change" is a comparison and can be tested without a
//! kernel. Base chains never change within a family's table; sets and group chains do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::TABLE;
use super::element::{Element, ElementChange, Family, SetId, SetKind};

/// A set or map and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) kind: SetKind,
    pub(crate) elements: BTreeSet<Element>,
}

/// A chain with a hook. These never change while a release runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BaseChain {
    pub(crate) name: &'static str,
    /// Type, hook, priority and policy in nft's words.
    pub(crate) hook: &'static str,
    /// Rules in nft's words; they refer to sets by name.
    pub(crate) rules: &'static [&'static str],
}

/// Names of what a table holds in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) chains: BTreeSet<(Family, String)>,
    /// With the word that declares it, `set` or `map`.
    pub(crate) sets: BTreeMap<SetId, String>,
}

/// Our tables of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    pub(crate) base: BTreeMap<Family, &'static [BaseChain]>,
    pub(crate) sets: BTreeMap<SetId, Set>,
    /// Chains that elements go to, all in the `inet` table: their rules in nft's words.
    pub(crate) chains: BTreeMap<String, Vec<String>>,
}

/// How to get from one rule set to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// Only elements: one netlink batch.
    Elements(ElementChange),
    /// Commands for `nft -f -`, one transaction.
    Commands(String),
}

impl Ruleset {
    pub(crate) fn set(&mut self, id: SetId, kind: SetKind) -> &mut BTreeSet<Element> {
        &mut self
            .sets
            .entry(id)
            .or_insert_with(|| Set {
                kind,
                elements: BTreeSet::new(),
            })
            .elements
    }

    /// Replaces whatever our tables hold by this rule set, in one transaction. Base chains that are there
    /// are emptied and filled, not deleted: a deleted one drops every packet for the moment between the
    /// kernel's change of generation and the removal of its hook.
    pub(crate) fn replacement(&self, present: &Present) -> String {
        let mut text = String::new();
        for family in self.base.keys() {
            let _ = writeln!(text, "add table {family} {TABLE}");
        }
        // First nothing refers to anything, then what is not wanted goes.
        for (family, name) in &present.chains {
            let _ = writeln!(text, "flush chain {family} {TABLE} {name}");
        }
        for (id, word) in &present.sets {
            let _ = writeln!(text, "flush {word} {} {TABLE} {}", id.family, id.name);
        }
        let wanted = |family: Family, name: &str| {
            let base = self
                .base
                .get(&family)
                .is_some_and(|chains| chains.iter().any(|c| c.name == name));
            base || (family == Family::Inet && self.chains.contains_key(name))
        };
        for (family, name) in present
            .chains
            .iter()
            .filter(|(family, name)| !wanted(*family, name))
        {
            let _ = writeln!(text, "delete chain {family} {TABLE} {name}");
        }
        for (id, word) in present.sets.iter().filter(|(id, _)| !self.sets.contains_key(id)) {
            let _ = writeln!(text, "delete {word} {} {TABLE} {}", id.family, id.name);
        }
        for (id, set) in &self.sets {
            declare(&mut text, id, set.kind);
        }
        // All chains before any rule: rules jump to chains of any name.
        for name in self.chains.keys() {
            let _ = writeln!(text, "add chain inet {TABLE} {name}");
        }
        for (name, rules) in &self.chains {
            add_rules(&mut text, name, rules);
        }
        for (family, chains) in &self.base {
            for BaseChain { name, hook, rules } in *chains {
                let _ = writeln!(text, "add chain {family} {TABLE} {name} {{ {hook} }}");
                for rule in *rules {
                    let _ = writeln!(text, "add rule {family} {TABLE} {name} {rule}");
                }
            }
        }
        let all = ElementChange {
            remove: Vec::new(),
            add: self.elements(),
        };
        text.push_str(&all.text());
        text
    }

    /// What changes the rule set `from`, which is in force and has the same base chains, into this one.
    pub(crate) fn change_from(&self, from: &Ruleset) -> Change {
        let elements = self.element_change(from);
        let same_sets =
            self.sets.len() == from.sets.len() && self.sets.keys().all(|id| from.sets.contains_key(id));
        if same_sets && self.chains == from.chains {
            return if elements.is_empty() {
                Change::Nothing
            } else {
                Change::Elements(elements)
            };
        }
        let mut text = String::new();
        // First what elements and rules will refer to, last what nothing refers to any more.
        for (id, set) in self.sets.iter().filter(|(id, _)| !from.sets.contains_key(id)) {
            declare(&mut text, id, set.kind);
        }
        for name in self.chains.keys().filter(|name| !from.chains.contains_key(*name)) {
            let _ = writeln!(text, "add chain inet {TABLE} {name}");
        }
        for (name, rules) in self
            .chains
            .iter()
            .filter(|(name, rules)| from.chains.get(*name) != Some(rules))
        {
            if from.chains.contains_key(name) {
                let _ = writeln!(text, "flush chain inet {TABLE} {name}");
            }
            add_rules(&mut text, name, rules);
        }
        text.push_str(&elements.text());
        let gone = || from.chains.keys().filter(|name| !self.chains.contains_key(*name));
        for name in gone() {
            let _ = writeln!(text, "flush chain inet {TABLE} {name}");
        }
        for name in gone() {
            let _ = writeln!(text, "delete chain inet {TABLE} {name}");
        }
        for id in from.sets.keys().filter(|id| !self.sets.contains_key(id)) {
            let _ = writeln!(text, "delete set {} {TABLE} {}", id.family, id.name);
        }
        Change::Commands(text)
    }

    fn elements(&self) -> Vec<(SetId, Element)> {
        let each = self
            .sets
            .iter()
            .flat_map(|(id, set)| set.elements.iter().map(|e| (id.clone(), e.clone())));
        each.collect()
    }

    fn element_change(&self, from: &Ruleset) -> ElementChange {
        let empty = BTreeSet::new();
        let of =
            |rules: &Ruleset, id: &SetId| rules.sets.get(id).map(|s| s.elements.clone()).unwrap_or_default();
        let mut change = ElementChange::default();
        for (id, set) in &self.sets {
            let before = of(from, id);
            change
                .add
                .extend(set.elements.difference(&before).map(|e| (id.clone(), e.clone())));
        }
        for (id, set) in &from.sets {
            let after = self.sets.get(id).map_or(&empty, |s| &s.elements);
            change
                .remove
                .extend(set.elements.difference(after).map(|e| (id.clone(), e.clone())));
        }
        change
    }
}

fn declare(text: &mut String, id: &SetId, kind: SetKind) {
    let (word, kind) = kind.declaration();
    let _ = writeln!(
        text,
        "add {word} {} {TABLE} {} {{ type {kind}; }}",
        id.family, id.name
    );
}

fn add_rules(text: &mut String, chain: &str, rules: &[String]) {
    for rule in rules {
        let _ = writeln!(text, "add rule inet {TABLE} {chain} {rule}");
    }
}
