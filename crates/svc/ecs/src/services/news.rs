//! What a service says of itself: lines in its own list of events, and events on the bus. Source: the developer guide,
//! "Amazon ECS service event messages", "Amazon ECS service action events", "Amazon ECS service deployment state change
//! events".

use roadstead_base::{Timestamp, derived_hex};
use roadstead_outbox::{Event, Source};
use roadstead_store::{Key, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Ecs;
use crate::services::ServiceRecord;
use crate::services::deployments::ServiceDeploymentRecord;
use crate::services::sets::TaskSetId;
use crate::tables::events_of;

/// Events that can be described.
pub(super) const KEPT: u64 = 100;
pub(super) const ACTION: &str = "ECS Service Action";
pub(super) const DEPLOYMENT: &str = "ECS Deployment State Change";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventRecord {
    /// Counts from 0.
    pub number: u64,
    pub id: String,
    pub at: Timestamp,
    pub message: String,
}

/// What is to be told together with a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct News {
    lines: Vec<Line>,
    /// The task set that what follows is about.
    about: Option<String>,
    published: Vec<Published>,
    ended: Vec<ServiceDeploymentRecord>,
}

#[derive(Clone, Debug, PartialEq)]
struct Line {
    set: Option<String>,
    text: String,
}

#[derive(Clone, Debug, PartialEq)]
struct Published {
    detail_type: &'static str,
    event_type: &'static str,
    event_name: &'static str,
    deployment: Option<String>,
    /// The id of a task set.
    set: Option<String>,
    reason: Option<String>,
}

impl News {
    /// What is told from now on is about a task set, or about the service as a whole.
    pub(super) fn about(&mut self, set: Option<&str>) {
        self.about = set.map(str::to_owned);
    }

    /// A line, without the `(service name) ` that it begins with.
    pub(super) fn line(&mut self, text: impl Into<String>) {
        self.lines.push(Line {
            set: self.about.clone(),
            text: text.into(),
        });
    }

    /// An `ECS Service Action`, about the task set that it is told of if there is one.
    pub(super) fn action(
        &mut self,
        event_type: &'static str,
        event_name: &'static str,
        reason: Option<String>,
    ) {
        self.published.push(Published {
            detail_type: ACTION,
            event_type,
            event_name,
            deployment: None,
            set: self.about.clone(),
            reason,
        });
    }

    /// An `ECS Deployment State Change`.
    pub(super) fn deployment(&mut self, event_name: &'static str, deployment: &str, reason: &str) {
        self.published.push(Published {
            detail_type: DEPLOYMENT,
            event_type: if event_name == "SERVICE_DEPLOYMENT_FAILED" {
                "ERROR"
            } else {
                "INFO"
            },
            event_name,
            deployment: Some(deployment.to_owned()),
            set: None,
            reason: Some(reason.to_owned()),
        });
    }

    /// A service deployment that another takes the place of.
    pub(super) fn ended(&mut self, deployment: Option<ServiceDeploymentRecord>) {
        self.ended.extend(deployment);
    }

    pub(super) fn those_ended(&self) -> &[ServiceDeploymentRecord] {
        &self.ended
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.published.is_empty() && self.ended.is_empty()
    }

    /// Counts the news in the record and writes them beside it.
    pub(super) fn tell(
        &self,
        ecs: &Ecs,
        mut transaction: Transaction,
        service: &mut ServiceRecord,
        now: Timestamp,
    ) -> Transaction {
        for line in &self.lines {
            let number = service.events;
            service.events += 1;
            let record = EventRecord {
                number,
                id: uuid(&derived_hex(&service.id, &format!("event-{number}"), 32)),
                at: now,
                message: match &line.set {
                    None => format!("(service {}) {}", service.name, line.text),
                    Some(set) => format!("(service {}, taskSet {set}) {}", service.name, line.text),
                },
            };
            transaction = transaction.put(&ecs.service_events(), &event_key(service, number), &record);
            if let Some(old) = number.checked_sub(KEPT) {
                transaction = transaction.delete(&event_key(service, old));
            }
        }
        for published in &self.published {
            service.published += 1;
            transaction = roadstead_outbox::add(transaction, &ecs.store, &published.event(service, now));
        }
        transaction
    }
}

impl Published {
    fn event(&self, service: &ServiceRecord, now: Timestamp) -> Event {
        let mut detail = json!({
            "eventType": self.event_type,
            "eventName": self.event_name,
        });
        let at = now.to_rfc3339();
        match &self.deployment {
            None => {
                detail["clusterArn"] = service.cluster.arn(&service.partition).into();
                detail["createdAt"] = at.into();
            }
            Some(deployment) => {
                detail["deploymentId"] = deployment.as_str().into();
                detail["updatedAt"] = at.into();
            }
        }
        if let Some(set) = &self.set {
            // As `capacityProviderArns` of those about capacity providers.
            let arn = TaskSetId::known(set).arn(&service.partition, &service.cluster, &service.name);
            detail["taskSetArns"] = json!([arn]);
        }
        if let Some(reason) = &self.reason {
            detail["reason"] = reason.as_str().into();
        }
        Event {
            partition: service.partition.clone(),
            source: Source::Ecs,
            detail_type: self.detail_type.to_owned(),
            subject: service.arn(),
            number: service.published,
            at: now,
            detail,
        }
    }
}

fn event_key(service: &ServiceRecord, number: u64) -> Key {
    events_of(&service.partition, &service.cluster, &service.name).child(format!("{number:010}"))
}

fn uuid(hex: &str) -> String {
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
