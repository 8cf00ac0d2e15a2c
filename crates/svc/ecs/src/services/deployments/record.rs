//! What is kept of a service deployment, and of a revision.

use std::collections::BTreeMap;

use roadstead_api_ecs::ServiceDeploymentStatus;
use roadstead_base::{Timestamp, derived_hex};
use serde::{Deserialize, Serialize};

use crate::services::record::{DeploymentRecord, Rolling, Spec};

/// Where it stands. Source: "View service history using Amazon ECS service deployments", "Service deployment states".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    /// Nobody has looked at it yet.
    Pending,
    InProgress,
    Successful,
    /// Given up without a way back, or replaced by another.
    Stopped,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl Status {
    pub(crate) fn to_api(self) -> ServiceDeploymentStatus {
        match self {
            Self::Pending => ServiceDeploymentStatus::Pending,
            Self::InProgress => ServiceDeploymentStatus::InProgress,
            Self::Successful => ServiceDeploymentStatus::Successful,
            Self::Stopped => ServiceDeploymentStatus::Stopped,
            Self::RollbackRequested => ServiceDeploymentStatus::RollbackRequested,
            Self::RollbackInProgress => ServiceDeploymentStatus::RollbackInProgress,
            Self::RollbackSuccessful => ServiceDeploymentStatus::RollbackSuccessful,
            Self::RollbackFailed => ServiceDeploymentStatus::RollbackFailed,
        }
    }

    /// It has ended, well or not.
    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed => true,
            Self::Pending | Self::InProgress | Self::RollbackRequested | Self::RollbackInProgress => false,
        }
    }

    /// Its target is still being rolled out.
    pub(crate) fn goes_on(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress)
    }
}

/// Tasks of one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The revision's id: the digits of its deployment's.
    pub revision: String,
    #[serde(default)]
    pub requested: i32,
    #[serde(default)]
    pub running: i32,
    #[serde(default)]
    pub pending: i32,
}

impl Share {
    pub(crate) fn of(revision: &str) -> Self {
        Self {
            revision: revision.to_owned(),
            requested: 0,
            running: 0,
            pending: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RollbackRecord {
    pub reason: String,
    pub started_at: Timestamp,
    pub revision: String,
}

/// What its alarms say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// One of them was in ALARM when it began: none is looked at.
    #[serde(default)]
    pub ignored: bool,
    /// Those in ALARM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ringing: Vec<String>,
    /// Those that there are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Milliseconds for which they are looked at after it has arrived.
    #[serde(default)]
    pub lasts: i64,
    /// When it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// They ended it.
    #[serde(default)]
    pub rang: bool,
}

/// `service-deployment/<cluster>/<service>/<id>`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServiceDeploymentRecord {
    /// 21 letters and digits.
    pub id: String,
    /// Counts the deployments of its service.
    pub number: u64,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What ran when it began. Counts are those of its end.
    pub sources: Vec<Share>,
    pub target: Share,
    pub rolling: Rolling,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackRecord>,
    /// None: they were not looked at yet, or there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// The circuit breaker ended it.
    #[serde(default)]
    pub broken: bool,
    /// Tasks that failed, at the worst.
    #[serde(default)]
    pub failures: u32,
    /// So many open the circuit breaker.
    #[serde(default)]
    pub threshold: u32,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

impl ServiceDeploymentRecord {
    /// The nth of a service.
    pub(crate) fn new(service: &str, number: u64, target: &str, rolling: &Rolling, now: Timestamp) -> Self {
        Self {
            id: id_of(service, number),
            number,
            status: Status::Pending,
            reason: None,
            sources: Vec::new(),
            target: Share::of(target),
            rolling: rolling.clone(),
            rollback: None,
            watch: None,
            broken: false,
            failures: 0,
            threshold: 0,
            created_at: now,
            started_at: None,
            finished_at: None,
            stopped_at: None,
            updated_at: now,
        }
    }

    pub(crate) fn is(&mut self, status: Status, reason: Option<String>, now: Timestamp) {
        self.status = status;
        self.reason = reason;
        self.updated_at = now;
        if status == Status::InProgress {
            self.started_at.get_or_insert(now);
        }
        if status.is_over() {
            self.finished_at = Some(now);
        }
        if status == Status::Stopped {
            self.stopped_at = Some(now);
        }
    }
}

/// Letters and digits as the vendor's, made again by a retry.
fn id_of(service: &str, number: u64) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let hex = derived_hex(service, &format!("service-deployment-{number}"), 63);
    let digits = hex.as_bytes().chunks(3).map(|three| {
        let value = std::str::from_utf8(three).ok();
        let value = value.and_then(|text| usize::from_str_radix(text, 16).ok());
        char::from(ALPHABET[value.unwrap_or_default() % ALPHABET.len()])
    });
    digits.collect()
}

/// `service-revision/<cluster>/<service>/<id>`. What it says of images is added as it becomes known; the rest never
/// changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RevisionRecord {
    pub id: String,
    pub spec: Spec,
    /// What the containers' images are, by the containers' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
    pub created_at: Timestamp,
}

impl RevisionRecord {
    pub(crate) fn of(deployment: &DeploymentRecord) -> Self {
        Self {
            id: deployment.revision().to_owned(),
            spec: deployment.spec.clone(),
            digests: deployment.digests.clone(),
            created_at: deployment.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_letters_and_digits_and_differ() {
        let ids: Vec<String> = (0..100).map(|number| id_of("service", number)).collect();
        for id in &ids {
            assert_eq!(id.len(), 21, "{id}");
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        }
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(id_of("service", 7), ids[7]);
        assert_ne!(id_of("other", 7), ids[7]);
    }

    #[test]
    fn what_is_over_has_an_end() {
        for (status, over, finished, stopped) in [
            (Status::Pending, false, false, false),
            (Status::InProgress, false, false, false),
            (Status::RollbackRequested, false, false, false),
            (Status::RollbackInProgress, false, false, false),
            (Status::Successful, true, true, false),
            (Status::Stopped, true, true, true),
            (Status::RollbackSuccessful, true, true, false),
            (Status::RollbackFailed, true, true, false),
        ] {
            let rolling = crate::services::record::Rolling {
                minimum_healthy_percent: 100,
                maximum_percent: 200,
                breaker: None,
                alarms: None,
            };
            let mut record = ServiceDeploymentRecord::new("s", 0, "1", &rolling, Timestamp(1));
            record.is(status, None, Timestamp(2));
            assert_eq!(status.is_over(), over, "{status:?}");
            assert_eq!(
                (record.finished_at.is_some(), record.stopped_at.is_some()),
                (finished, stopped),
                "{status:?}"
            );
            assert_eq!(record.updated_at, Timestamp(2));
        }
    }
}
