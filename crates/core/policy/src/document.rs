//! A policy as it is evaluated.

use std::collections::BTreeSet;

use crate::condition::Condition;
use crate::pattern::Pattern;
use crate::principal::Principals;
use crate::template::Template;

/// In a document; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// A document that was parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub id: Option<String>,
    pub statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    /// Of the statement's opening brace.
    pub start: Position,
    /// Behind its closing brace.
    pub end: Position,
    pub(crate) actions: OneOf<Pattern>,
    /// None where the document's kind has no resources: a trust policy.
    pub(crate) resources: Option<OneOf<Template>>,
    /// None in identity policies.
    pub(crate) principals: Option<OneOf<Principals>>,
    pub(crate) conditions: Vec<Condition>,
}

impl Policy {
    /// The condition keys that its conditions and variables ask for.
    pub fn context_keys(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for statement in &self.statements {
            if let Some(OneOf::Any(templates) | OneOf::Not(templates)) = &statement.resources {
                all.extend(templates.iter().flat_map(Template::keys));
            }
            for condition in &statement.conditions {
                all.insert(condition.key.clone());
                all.extend(condition.keys_of_operands());
            }
        }
        all
    }
}

/// `Action` or `NotAction`, and so on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OneOf<T> {
    Any(Vec<T>),
    Not(Vec<T>),
}
