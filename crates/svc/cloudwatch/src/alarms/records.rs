//! What is kept of an alarm.

use roadstead_alarms::{Comparison, Missing, Settings, State, Suppression};
use roadstead_base::{Tags, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AlarmRecord {
    pub name: String,
    pub description: Option<String>,
    pub actions_enabled: bool,
    pub ok_actions: Vec<String>,
    pub alarm_actions: Vec<String>,
    pub insufficient_data_actions: Vec<String>,
    pub tags: Tags,
    pub configured_at: Timestamp,
    pub watched: Watched,
    pub state: StateRecord,
    /// Grows with each change, also over deleting and making it again.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StateRecord {
    pub value: State,
    pub reason: String,
    /// JSON.
    pub reason_data: Option<String>,
    pub updated_at: Timestamp,
    pub transitioned_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Watched {
    Metric(MetricRecord),
    Composite(CompositeRecord),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MetricRecord {
    pub source: Source,
    pub evaluation_periods: i32,
    pub datapoints_to_alarm: Option<i32>,
    pub threshold: f64,
    /// By the API's name.
    pub comparison: String,
    pub missing: Option<String>,
    pub low_samples: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The members of the request itself.
    One(One),
    /// `Metrics`.
    Queries(Vec<Query>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct One {
    pub metric: MetricName,
    pub statistic: Option<String>,
    pub extended: Option<String>,
    pub period: i32,
    pub unit: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MetricName {
    pub namespace: String,
    pub name: String,
    /// In order of their names.
    pub dimensions: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Query {
    pub id: String,
    pub label: Option<String>,
    pub return_data: Option<bool>,
    pub period: Option<i32>,
    pub what: Asked,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Asked {
    Expression(String),
    Stat {
        metric: MetricName,
        period: i32,
        stat: String,
        unit: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompositeRecord {
    pub rule: String,
    pub suppressor: Option<Suppressor>,
    /// The states of the alarms in the rule when it was last decided: it is again when one of them changes, and not
    /// before, also over a restart.
    pub seen: Option<String>,
    pub suppression: Option<Suppression>,
    /// The state from before actions were held back, while they are owed.
    pub held_back: Option<StateRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suppressor {
    /// Name or ARN.
    pub alarm: String,
    /// Seconds.
    pub wait: i32,
    pub extension: i32,
}

impl AlarmRecord {
    pub(crate) fn actions(&self, state: State) -> &[String] {
        match state {
            State::Ok => &self.ok_actions,
            State::Alarm => &self.alarm_actions,
            State::InsufficientData => &self.insufficient_data_actions,
        }
    }

    /// As the API calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.watched {
            Watched::Metric(_) => "MetricAlarm",
            Watched::Composite(_) => "CompositeAlarm",
        }
    }

    /// Every alarm that it depends on, by name or ARN.
    pub(crate) fn depends_on(&self) -> Vec<String> {
        let Watched::Composite(composite) = &self.watched else {
            return Vec::new();
        };
        let mut all = composite.children();
        all.extend(composite.suppressor.iter().map(|by| by.alarm.clone()));
        all
    }
}

impl CompositeRecord {
    /// The alarms in the rule.
    pub(crate) fn children(&self) -> Vec<String> {
        let rule = roadstead_alarms::Rule::parse(&self.rule);
        // A rule is kept only after it was understood.
        rule.map(|rule| rule.alarms().into_iter().map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

impl MetricRecord {
    /// Seconds.
    pub(crate) fn period(&self) -> i64 {
        let period = match &self.source {
            Source::One(one) => one.period,
            Source::Queries(queries) => {
                let periods = queries.iter().filter_map(|query| match &query.what {
                    Asked::Stat { period, .. } => Some(*period),
                    Asked::Expression(_) => query.period,
                });
                periods.max().unwrap_or(60)
            }
        };
        i64::from(period.max(1))
    }

    pub(crate) fn comparison(&self) -> Comparison {
        match self.comparison.as_str() {
            "GreaterThanOrEqualToThreshold" => Comparison::GreaterThanOrEqualTo,
            "LessThanThreshold" => Comparison::LessThan,
            "LessThanOrEqualToThreshold" => Comparison::LessThanOrEqualTo,
            _ => Comparison::GreaterThan,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        let n = usize::try_from(self.evaluation_periods).unwrap_or(1).max(1);
        let m = self.datapoints_to_alarm.and_then(|m| usize::try_from(m).ok());
        Settings {
            evaluation_periods: n,
            datapoints_to_alarm: m.unwrap_or(n).clamp(1, n),
            missing: self.missing(),
        }
    }

    fn missing(&self) -> Missing {
        let dynamodb = matches!(&self.source, Source::One(one) if one.metric.namespace == "AWS/DynamoDB");
        if dynamodb {
            // As documented, whatever else was asked for.
            return Missing::Ignore;
        }
        match self.missing.as_deref() {
            Some("ignore") => Missing::Ignore,
            Some("breaching") => Missing::Breaching,
            Some("notBreaching") => Missing::NotBreaching,
            _ => Missing::Missing,
        }
    }
}
