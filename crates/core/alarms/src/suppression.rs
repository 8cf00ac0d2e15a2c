//! Whether a composite alarm holds its actions back while another alarm says that it should.

use crate::State;

/// Why actions are held back. Times are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Suppression {
    /// The composite alarm just went into ALARM, and the suppressor may follow.
    WaitPeriod { until: i64 },
    /// The suppressor is in ALARM.
    Alarm,
    /// The suppressor left ALARM, and the composite alarm may follow.
    ExtensionPeriod { until: i64 },
}

impl Suppression {
    /// As the API tells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WaitPeriod { .. } => "WaitPeriod",
            Self::Alarm => "Alarm",
            Self::ExtensionPeriod { .. } => "ExtensionPeriod",
        }
    }

    /// When it ends by itself.
    pub fn until(self) -> Option<i64> {
        match self {
            Self::WaitPeriod { until } | Self::ExtensionPeriod { until } => Some(until),
            Self::Alarm => None,
        }
    }
}

/// A composite alarm with a suppressor at a moment. Times and periods in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What held its actions back until now.
    pub before: Option<Suppression>,
    /// Whether it goes into ALARM at this moment.
    pub into_alarm: bool,
    pub suppressor: State,
    /// Since when the suppressor is in its state.
    pub since: i64,
    pub now: i64,
    pub wait: i64,
    pub extension: i64,
}

/// What holds its actions back from now on. When nothing does any more, it takes those of the state that it is in then.
pub fn suppression(look: &Look) -> Option<Suppression> {
    if look.suppressor == State::Alarm {
        return Some(Suppression::Alarm);
    }
    let next = match look.before {
        Some(Suppression::Alarm) => Some(Suppression::ExtensionPeriod {
            until: look.since + look.extension,
        }),
        None if look.into_alarm => Some(Suppression::WaitPeriod {
            until: look.now + look.wait,
        }),
        before => before,
    };
    next.filter(|next| next.until().is_some_and(|until| until > look.now))
}
