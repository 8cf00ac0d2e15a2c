//! The cluster query language: which container instances an expression means. Constraints of the kind `memberOf`
//! and the filter of ListContainerInstances are written in it. Source: the developer guide, "Create expressions to
//! define container instances for Amazon ECS tasks".
//!
//! Beyond what the guide says: `not` binds before `and`, `and` before `or`; a negated operator (`!=`, `!in`, `!~`)
//! holds exactly where its positive does not, so also where the subject is absent; `>` and its kin compare numbers
//! as numbers and everything else as text; a pattern has to match the whole value.

mod eval;
mod parse;
mod time;

use std::fmt;
use std::hash::{Hash, Hasher};

use regex::Regex;

use crate::model::Candidate;

/// Characters of an expression. Source: the API reference, PlacementConstraint, `expression`.
pub const MAX_EXPRESSION: usize = 2000;

/// An expression, understood.
#[derive(Clone)]
pub struct Query {
    text: String,
    root: Node,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct SyntaxError {
    /// In characters, from 1.
    pub column: usize,
    pub problem: String,
}

impl Query {
    /// # Errors
    /// The text is no expression, names a subject that does not exist, or gives one an operator it does not take.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let root = parse::parse(text)?;
        Ok(Self {
            text: text.to_owned(),
            root,
        })
    }

    /// Whether the instance is one that the expression means.
    pub fn holds(&self, candidate: &Candidate) -> bool {
        eval::holds(&self.root, candidate)
    }

    /// Whether it asks for attributes and nothing else, so that where it does not hold an attribute is missing.
    pub fn asks_attributes_alone(&self) -> bool {
        self.root
            .all(&|test| matches!(test.subject, Subject::Attribute(_)))
    }

    /// Whether it asks about tasks, of which the answer changes as tasks come and go.
    pub fn asks_tasks(&self) -> bool {
        !self
            .root
            .all(&|test| !matches!(test.subject, Subject::TaskGroup | Subject::RunningTasksCount))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({:?})", self.text)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Query {}

impl Hash for Query {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[derive(Clone)]
enum Node {
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Test(Test),
}

impl Node {
    fn all(&self, says: &dyn Fn(&Test) -> bool) -> bool {
        match self {
            Self::Not(inner) => inner.all(says),
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|part| part.all(says)),
            Self::Test(test) => says(test),
        }
    }
}

/// `subject operator [argument]`
#[derive(Clone)]
struct Test {
    subject: Subject,
    /// The operator is a negated one.
    negated: bool,
    relation: Relation,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    Ec2InstanceId,
    RegisteredAt,
    RunningTasksCount,
    TaskGroup,
}

#[derive(Clone)]
enum Relation {
    Exists,
    Compare(Comparison, Argument),
    In(Vec<Argument>),
    Matches(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// A literal, read once as what its subject is.
#[derive(Clone, Debug, PartialEq)]
enum Argument {
    Text(String),
    Number(f64, String),
    Version(Vec<u64>),
    /// Milliseconds since 1970, and for how many of them it stands: a day or a second.
    Time(i64, i64),
}
