//! When an alarm changes its state. A metric alarm is decided by the last points of its metric, some of which may be
//! missing; a composite alarm by the states of others. Points and states in, a verdict out: nothing here waits, asks or
//! remembers.
//!
//! The rules are CloudWatch's, "Configuring how CloudWatch alarms treat missing data" and "Create a composite alarm".

mod composite;
mod evaluate;

pub use composite::{MAX_RULE, Rule, RuleError};
pub use evaluate::{Comparison, Missing, Settings, Verdict, evaluate, range};

/// The states an alarm can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    Ok,
    Alarm,
    InsufficientData,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}
