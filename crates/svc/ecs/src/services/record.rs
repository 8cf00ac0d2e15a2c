//! What is kept of a service. Tasks are not listed here: they are those of its group, and say themselves which
//! deployment started them.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_api_ecs as api;
use roadstead_base::{Partition, Timestamp, derived_hex};
use roadstead_deployment::Bounds;
use serde::{Deserialize, Serialize};

use crate::capacity::StrategyItem;
use crate::names::{ClusterName, ServiceName, TaskDefinitionId, TaskId};
use crate::services::deployments::{ServiceDeploymentRecord, Share, Status};
use crate::services::news::News;
use crate::services::sets::TaskSetRecord;
use crate::stored::{Shaped, Stored};
use crate::tables::service_key;
use crate::tags::{Tagged, Tags};
use crate::tasks::Launch;

impl Shaped for api::NetworkConfiguration {
    const SHAPE: &'static str = "NetworkConfiguration";
}

impl Shaped for api::PlacementConstraint {
    const SHAPE: &'static str = "PlacementConstraint";
}

impl Shaped for api::PlacementStrategy {
    const SHAPE: &'static str = "PlacementStrategy";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ServiceStatus {
    Active,
    /// Deleted; its tasks are being stopped.
    Draining,
    /// Deleted, and described for a while.
    Inactive {
        since: Timestamp,
    },
}

impl ServiceStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive { .. } => "INACTIVE",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Scheduling {
    Replica,
    Daemon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Propagate {
    None,
    TaskDefinition,
    Service,
}

/// Who says what is deployed: `deploymentController`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Controller {
    /// The service: it replaces tasks of one deployment by those of the next.
    #[default]
    Ecs,
    /// A third party, by task sets.
    External,
}

impl Controller {
    pub(crate) fn to_api(self) -> api::DeploymentControllerType {
        match self {
            Self::Ecs => api::DeploymentControllerType::Ecs,
            Self::External => api::DeploymentControllerType::External,
        }
    }
}

/// `deploymentConfiguration` of a rolling update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rolling {
    pub minimum_healthy_percent: i32,
    pub maximum_percent: i32,
    pub breaker: Option<BreakerRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<AlarmRule>,
}

/// `deploymentConfiguration.alarms`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AlarmRule {
    pub names: Vec<String>,
    pub enable: bool,
    pub rollback: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BreakerRule {
    pub enable: bool,
    pub rollback: bool,
}

impl Rolling {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            minimum_healthy_percent: self.minimum_healthy_percent.unsigned_abs(),
            maximum_percent: self.maximum_percent.unsigned_abs(),
        }
    }
}

/// What tasks are made of: the part of a service that a deployment changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub definition: TaskDefinitionId,
    pub launch: Launch,
    /// The capacity provider strategy; empty: the launch type decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<StrategyItem>,
    /// FARGATE alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Stored<api::NetworkConfiguration>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RolloutState {
    InProgress,
    Completed,
    Failed,
}

/// A deployment that still has tasks, or is to have some.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeploymentRecord {
    /// `ecs-svc/<19 digits>`; what its tasks say started them.
    pub id: String,
    pub spec: Spec,
    pub rollout: RolloutState,
    pub reason: String,
    /// In a row, none having run successfully.
    #[serde(default)]
    pub failures: u32,
    #[serde(default)]
    pub setbacks: u32,
    #[serde(default)]
    pub last_setback: Timestamp,
    /// Ended tasks that were counted and can still be described: none is counted twice.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub counted: BTreeSet<TaskId>,
    /// What the images of its containers are, as the first of its tasks says, by the containers' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const DEPLOYMENT: &str = "ecs-svc/";

impl DeploymentRecord {
    pub(crate) fn new(id: String, spec: Spec, rollout: RolloutState, reason: String, now: Timestamp) -> Self {
        Self {
            id,
            spec,
            rollout,
            reason,
            failures: 0,
            setbacks: 0,
            last_setback: now,
            counted: BTreeSet::new(),
            digests: BTreeMap::new(),
            created_at: now,
            updated_at: now,
        }
    }

    /// The id of the revision that it rolls out.
    pub(crate) fn revision(&self) -> &str {
        self.id.strip_prefix(DEPLOYMENT).unwrap_or(&self.id)
    }

    /// Of what rolls out a revision.
    pub(crate) fn id_of(revision: &str) -> String {
        format!("{DEPLOYMENT}{revision}")
    }
}

/// Since when there is no place for what is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unplaced {
    /// When it was tried last.
    pub tried: Timestamp,
    /// When it was last told.
    pub told: Timestamp,
    pub message: String,
    /// Of what there was to find a place in: with another it is worth another try at once.
    pub world: u64,
    /// All there is to be is there: a zone had no room for one that would be better off in it.
    #[serde(default)]
    pub balancing: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServiceRecord {
    pub partition: Partition,
    pub cluster: ClusterName,
    pub name: ServiceName,
    /// Random; what ids of its making derive from.
    pub id: String,
    pub status: ServiceStatus,
    /// Of the request that made it, without its token.
    pub request: String,
    pub desired: i32,
    #[serde(default)]
    pub controller: Controller,
    pub scheduling: Scheduling,
    pub rolling: Rolling,
    pub rebalancing: bool,
    pub grace_seconds: Option<i32>,
    pub managed_tags: bool,
    pub propagate: Propagate,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Stored<api::PlacementConstraint>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategy: Vec<Stored<api::PlacementStrategy>>,
    pub role_arn: Option<String>,
    /// What it was made for, and goes back to without a capacity provider strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
    /// The PRIMARY one first, then from the latest to the earliest.
    pub deployments: Vec<DeploymentRecord>,
    /// Of an EXTERNAL controller, which makes them in place of deployments; the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<TaskSetRecord>,
    /// What completed last: where a failed deployment goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<DeploymentRecord>,
    /// The latest service deployment, under way or over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<ServiceDeploymentRecord>,
    /// Tasks it has started.
    #[serde(default)]
    pub started: u64,
    /// Deployments and task sets it has had.
    #[serde(default)]
    pub deployed: u64,
    /// Events it has had.
    #[serde(default)]
    pub events: u64,
    /// The number of the last event that was put on the bus.
    pub published: u64,
    /// It was told that it is.
    #[serde(default)]
    pub steady: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplaced: Option<Unplaced>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub tags: Tags,
}

impl ServiceRecord {
    pub(crate) fn arn(&self) -> String {
        self.name.arn(&self.partition, &self.cluster)
    }

    pub(crate) fn key(&self) -> roadstead_store::Key {
        service_key(&self.partition, &self.cluster, &self.name)
    }

    pub(crate) fn primary(&self) -> Option<&DeploymentRecord> {
        self.deployments.first()
    }

    /// What its tasks are made of; none: its EXTERNAL controller has no PRIMARY task set.
    pub(crate) fn spec(&self) -> Option<&Spec> {
        let set = || self.sets.iter().find(|set| set.is_primary());
        let main = self.primary().or_else(|| set().map(|set| &set.deployment));
        main.map(|main| &main.spec)
    }

    /// Everything that has tasks, or is to have some: deployments and task sets.
    pub(crate) fn makers(&self) -> impl Iterator<Item = &DeploymentRecord> {
        let sets = self.sets.iter().map(|set| &set.deployment);
        self.deployments.iter().chain(sets)
    }

    pub(crate) fn makers_mut(&mut self) -> impl Iterator<Item = &mut DeploymentRecord> {
        let sets = self.sets.iter_mut().map(|set| &mut set.deployment);
        self.deployments.iter_mut().chain(sets)
    }

    /// What started the tasks that say so.
    pub(crate) fn maker(&self, id: &str) -> Option<&DeploymentRecord> {
        self.makers().find(|maker| maker.id == id)
    }

    pub(crate) fn maker_mut(&mut self, id: &str) -> Option<&mut DeploymentRecord> {
        self.makers_mut().find(|maker| maker.id == id)
    }

    pub(crate) fn set(&self, id: &str) -> Option<&TaskSetRecord> {
        self.sets.iter().find(|set| set.deployment.id == id)
    }

    pub(crate) fn set_mut(&mut self, id: &str) -> Option<&mut TaskSetRecord> {
        self.sets.iter_mut().find(|set| set.deployment.id == id)
    }

    /// Since when there is no place for what a maker lacks.
    pub(crate) fn unplaced_mut(&mut self, maker: &str) -> &mut Option<Unplaced> {
        match self.sets.iter_mut().find(|set| set.deployment.id == maker) {
            Some(set) => &mut set.unplaced,
            None => &mut self.unplaced,
        }
    }

    /// As [`Self::unplaced_mut`].
    pub(crate) fn unplaced(&self, maker: &str) -> Option<&Unplaced> {
        match self.set(maker) {
            Some(set) => set.unplaced.as_ref(),
            None => self.unplaced.as_ref(),
        }
    }

    pub(crate) fn waits_for_a_place(&self) -> bool {
        let sets = self.sets.iter().map(|set| &set.unplaced);
        let mut all = sets.chain([&self.unplaced]).flatten();
        all.any(|unplaced| !unplaced.balancing)
    }

    /// Something is under way: that it is steady is to be told again.
    pub(crate) fn unsettle(&mut self, maker: &str) {
        self.steady = false;
        if let Some(set) = self.set_mut(maker) {
            set.steady = false;
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == ServiceStatus::Active
    }

    /// The capacity providers that its tasks count for, or may come to count for.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &String> {
        let deployments = self.makers().chain(&self.settled);
        let specs = deployments.map(|it| &it.spec).filter(|_| !self.is_gone());
        specs.flat_map(|spec| spec.providers.iter().map(|item| &item.provider))
    }

    /// The task definitions that it has tasks of, or may come to start some of.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = &TaskDefinitionId> {
        let deployments = self.makers().chain(&self.settled);
        deployments
            .filter(|_| !self.is_gone())
            .map(|it| &it.spec.definition)
    }

    /// It was deleted, and its tasks are ending or ended.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.status, ServiceStatus::Inactive { .. })
    }

    /// What a deployment that is given up goes back to; none: it is that itself, or nothing has completed yet.
    pub(crate) fn way_back(&self) -> Option<&DeploymentRecord> {
        let primary = self.primary()?;
        let completed = |it: &&DeploymentRecord| it.rollout == RolloutState::Completed;
        let earlier = || self.deployments.iter().find(completed);
        let back = self.settled.as_ref().or_else(earlier)?;
        (back.id != primary.id).then_some(back)
    }

    /// Nineteen digits, as the vendor's: of the next deployment or task set.
    pub(crate) fn new_revision(&mut self) -> String {
        let hex = derived_hex(&self.id, &format!("deployment-{}", self.deployed), 15);
        self.deployed += 1;
        let digits = 1_000_000_000_000_000_000 + u64::from_str_radix(&hex, 16).unwrap_or_default();
        digits.to_string()
    }

    /// Makes a new deployment the PRIMARY one, in place of what is under way.
    pub(crate) fn deploy(&mut self, spec: Spec, now: Timestamp, news: &mut News) {
        let number = self.deployed;
        let revision = self.new_revision();
        self.stop_current("Service deployment was replaced by a newer one.", now);
        news.ended(self.current.take());
        let id = DeploymentRecord::id_of(&revision);
        let mut current = ServiceDeploymentRecord::new(&self.id, number, &revision, &self.rolling, now);
        current.sources = self
            .deployments
            .iter()
            .map(|it| Share::of(it.revision()))
            .collect();
        self.current = Some(current);
        let reason = format!("ECS deployment {id} in progress.");
        let deployment = DeploymentRecord::new(id, spec, RolloutState::InProgress, reason, now);
        news.deployment(
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            &deployment.id,
            &deployment.reason,
        );
        self.deployments.insert(0, deployment);
        self.steady = false;
        self.unplaced = None;
    }

    /// Ends the service deployment that is under way, if one is.
    pub(crate) fn stop_current(&mut self, reason: &str, now: Timestamp) {
        if let Some(current) = self.current.as_mut().filter(|it| !it.status.is_over()) {
            current.is(Status::Stopped, Some(reason.to_owned()), now);
        }
    }
}

impl Tagged for ServiceRecord {
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
