//! When an alarm changes its state. A metric alarm is decided by the last points of its metric, some of which may be
//! missing; a composite alarm by the states of others. Points and states in, a verdict out: nothing here waits, asks or
//! remembers.
//!
//! The rules are CloudWatch's, "Configuring how CloudWatch alarms treat missing data", "Create a
//! composite alarm" and "Suppressing composite alarm actions".

mod composite;
mod evaluate;
mod suppression;

pub use composite::{MAX_RULE, Rule, RuleError};
pub use evaluate::{Comparison, Judgement, Missing, Settings, Verdict, evaluate, judge, range};
pub use suppression::{Look, Suppression, suppression};

/// The states an alarm can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum State {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
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
