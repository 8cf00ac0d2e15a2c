//! Search expressions ("CloudWatch search expression syntax"): which metrics a text like
//! `{AWS/EC2,InstanceId} MetricName="CPUUtilization" NOT spare` finds.
//!
//! A schema with dimensions means metrics with exactly these dimensions; with a namespace alone, all of the namespace.

mod parser;
mod tokens;

/// Longer searches are refused, as the service does.
pub const MAX_LENGTH: usize = 1024;

#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    pub namespace: Option<String>,
    /// In order of names; empty if any will do.
    pub dimensions: Vec<String>,
    pub term: Option<Term>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    And(Vec<Term>),
    Or(Vec<Term>),
    Not(Box<Term>),
    Match(Match),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    pub property: Option<Property>,
    pub text: String,
    /// In double quotes: the whole of it, as it is.
    pub exact: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Property {
    MetricName,
    Namespace,
    Dimension(String),
}

/// What a search looks at.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'m> {
    pub namespace: &'m str,
    pub name: &'m str,
    /// In order of names.
    pub dimensions: &'m [(String, String)],
}

impl Search {
    pub fn finds(&self, metric: &Metric<'_>) -> bool {
        let Self {
            namespace,
            dimensions,
            term,
        } = self;
        namespace
            .as_ref()
            .is_none_or(|namespace| namespace == metric.namespace)
            && (dimensions.is_empty()
                || dimensions
                    .iter()
                    .eq(metric.dimensions.iter().map(|(name, _)| name)))
            && term.as_ref().is_none_or(|term| term.holds(metric))
    }
}

impl Term {
    fn holds(&self, metric: &Metric<'_>) -> bool {
        match self {
            Self::And(terms) => terms.iter().all(|term| term.holds(metric)),
            Self::Or(terms) => terms.iter().any(|term| term.holds(metric)),
            Self::Not(term) => !term.holds(metric),
            Self::Match(wanted) => wanted.holds(metric),
        }
    }
}

impl Match {
    fn holds(&self, metric: &Metric<'_>) -> bool {
        let Metric {
            namespace,
            name,
            dimensions,
        } = *metric;
        match &self.property {
            Some(Property::MetricName) => self.is(name),
            Some(Property::Namespace) => self.is(namespace),
            Some(Property::Dimension(dimension)) => dimensions
                .iter()
                .any(|(name, value)| name == dimension && self.is(value)),
            None => {
                self.is(name)
                    || self.is(namespace)
                    || dimensions
                        .iter()
                        .any(|(name, value)| self.is(name) || self.is(value))
            }
        }
    }

    fn is(&self, text: &str) -> bool {
        if self.exact {
            text == self.text
        } else {
            tokens::matches(&self.text, text)
        }
    }
}
