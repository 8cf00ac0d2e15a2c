//! What an expression is made of, and how it is written.

use std::collections::BTreeSet;
use std::fmt;

/// An expression whose form is right: functions have as many arguments as they take, and keywords stand where they may.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub root: Node,
}

#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins; of an operation, its operator. Counted from 1.
    pub column: usize,
    pub kind: Kind,
}

/// Where a node stood is nothing of what it says.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Number(f64),
    Text(String),
    /// The `Id` of a metric or of another expression.
    Name(String),
    /// `ASC`, `REPEAT`, or a function that is not called: `AVG` in `SORT(METRICS(), AVG, DESC)`.
    Word(String),
    Array(Vec<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
}

macro_rules! operators {
    ($($name:ident $text:literal $binds:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operator { $($name,)* }

        impl Operator {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The higher, the closer it binds.
            pub(crate) fn binds(self) -> u8 {
                match self { $(Self::$name => $binds,)* }
            }
        }
    };
}

operators! {
    Or "OR" 1,
    And "AND" 2,
    Equal "==" 3,
    Unequal "!=" 3,
    LessOrEqual "<=" 3,
    GreaterOrEqual ">=" 3,
    Less "<" 3,
    Greater ">" 3,
    Add "+" 4,
    Subtract "-" 4,
    Multiply "*" 5,
    Divide "/" 5,
    Power "^" 7,
}

/// Between multiplication and exponentiation.
pub(crate) const SIGN_BINDS: u8 = 6;

impl Operator {
    pub fn is_arithmetic(self) -> bool {
        self.binds() > 3
    }
}

macro_rules! functions {
    ($($name:ident $text:literal $least:literal $most:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function { $($name,)* }

        impl Function {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// From how many arguments to how many it takes.
            pub fn takes(self) -> (usize, usize) {
                match self { $(Self::$name => ($least, $most),)* }
            }
        }
    };
}

functions! {
    Abs "ABS" 1 1,
    AnomalyDetectionBand "ANOMALY_DETECTION_BAND" 1 2,
    Avg "AVG" 1 1,
    Ceil "CEIL" 1 1,
    DatapointCount "DATAPOINT_COUNT" 1 1,
    Date "DATE" 1 1,
    Day "DAY" 1 1,
    DbPerfInsights "DB_PERF_INSIGHTS" 0 20,
    Diff "DIFF" 1 1,
    DiffTime "DIFF_TIME" 1 1,
    Epoch "EPOCH" 1 1,
    Fill "FILL" 2 2,
    First "FIRST" 1 1,
    Floor "FLOOR" 1 1,
    Hour "HOUR" 1 1,
    If "IF" 2 3,
    InsightRuleMetric "INSIGHT_RULE_METRIC" 0 20,
    Lambda "LAMBDA" 0 20,
    Last "LAST" 1 1,
    Log "LOG" 1 1,
    Log10 "LOG10" 1 1,
    Max "MAX" 1 1,
    MetricCount "METRIC_COUNT" 1 1,
    Metrics "METRICS" 0 1,
    Min "MIN" 1 1,
    Minute "MINUTE" 1 1,
    Month "MONTH" 1 1,
    Period "PERIOD" 1 1,
    Rate "RATE" 1 1,
    RemoveEmpty "REMOVE_EMPTY" 1 1,
    RunningSum "RUNNING_SUM" 1 1,
    Search "SEARCH" 2 3,
    ServiceQuota "SERVICE_QUOTA" 1 1,
    Slice "SLICE" 2 3,
    Sort "SORT" 3 4,
    Stddev "STDDEV" 1 1,
    Sum "SUM" 1 1,
    TimeSeries "TIME_SERIES" 1 1,
    Year "YEAR" 1 1,
}

impl Function {
    pub(crate) fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|function| function.text() == text)
    }

    /// What CloudWatch has and this has not.
    pub fn is_unsupported(self) -> bool {
        matches!(
            self,
            Self::AnomalyDetectionBand
                | Self::DbPerfInsights
                | Self::InsightRuleMetric
                | Self::Lambda
                | Self::ServiceQuota
        )
    }
}

impl Expression {
    /// The Ids it names, each once.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.root.walk(&mut |node| {
            if let Kind::Name(name) = &node.kind {
                names.insert(name.as_str());
            }
        });
        names
    }

    /// The strings that `METRICS()` is called with, the empty one for all metrics.
    pub fn metrics(&self) -> Vec<&str> {
        let mut all = Vec::new();
        self.root.walk(&mut |node| {
            if let Kind::Call(Function::Metrics, arguments) = &node.kind {
                all.push(match arguments.first().map(|argument| &argument.kind) {
                    Some(Kind::Text(text)) => text.as_str(),
                    _ => "",
                });
            }
        });
        all
    }

    /// Whether it looks for metrics, and in what periods, if they are said.
    pub fn searches(&self) -> Vec<Option<f64>> {
        let mut all = Vec::new();
        self.root.walk(&mut |node| {
            if let Kind::Call(Function::Search, arguments) = &node.kind {
                all.push(match arguments.get(2).map(|argument| &argument.kind) {
                    Some(Kind::Number(period)) => Some(*period),
                    _ => None,
                });
            }
        });
        all
    }
}

impl Node {
    fn walk<'n>(&'n self, visit: &mut impl FnMut(&'n Node)) {
        visit(self);
        match &self.kind {
            Kind::Number(_) | Kind::Text(_) | Kind::Name(_) | Kind::Word(_) => {}
            Kind::Negative(inner) => inner.walk(visit),
            Kind::Binary(_, left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Kind::Array(nodes) | Kind::Call(_, nodes) => nodes.iter().for_each(|node| node.walk(visit)),
        }
    }

    fn binds(&self) -> u8 {
        match &self.kind {
            Kind::Binary(operator, _, _) => operator.binds(),
            Kind::Negative(_) => SIGN_BINDS,
            _ => u8::MAX,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.binds() < least {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

/// As it would be written, so that reading it again gives the same.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, nodes: &[Node]| {
            nodes.iter().enumerate().try_for_each(|(index, node)| {
                f.write_str(if index == 0 { "" } else { ", " })?;
                write!(f, "{node}")
            })
        };
        match &self.kind {
            Kind::Number(number) => write!(f, "{number}"),
            Kind::Text(text) => {
                let quote = if text.contains('"') { '\'' } else { '"' };
                write!(f, "{quote}{}{quote}", text.replace(quote, &format!("\\{quote}")))
            }
            Kind::Name(text) | Kind::Word(text) => f.write_str(text),
            Kind::Array(nodes) => {
                f.write_str("[")?;
                list(f, nodes)?;
                f.write_str("]")
            }
            Kind::Negative(inner) => {
                f.write_str("-")?;
                inner.write(f, SIGN_BINDS)
            }
            Kind::Binary(operator, left, right) => {
                let (binds, text) = (operator.binds(), operator.text());
                // Exponents are read from the right, and may have a sign; all others are read from the left.
                let (of_left, of_right) = if *operator == Operator::Power {
                    (binds + 1, SIGN_BINDS)
                } else {
                    (binds, binds + 1)
                };
                left.write(f, of_left)?;
                write!(f, " {text} ")?;
                right.write(f, of_right)
            }
            Kind::Call(function, arguments) => {
                write!(f, "{}(", function.text())?;
                list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)
    }
}
