//! A service as the owner of tasks that are about to start: what it gives them, and that its record and they are
//! written in one commit. So a step that is taken twice starts nothing twice.

use roadstead_api_ecs::PropagateTags;
use roadstead_store::{Entry, Transaction};

use crate::Ecs;
use crate::error::Result;
use crate::names::TaskId;
use crate::services::ServiceRecord;
use crate::services::news::News;
use crate::services::record::Propagate;
use crate::services::write;
use crate::tags::Tags;
use crate::tasks::TaskRecord;

#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// As it was when the start was decided; none: only a trial.
    pub(super) entry: Option<Entry<ServiceRecord>>,
    /// As it is to be.
    pub(super) next: ServiceRecord,
    pub(super) news: News,
    /// Which of its deployments or task sets starts tasks.
    pub(super) maker: String,
    /// Its definition may be INACTIVE.
    pub(super) goes_on: bool,
}

impl Owner {
    /// Of a start by `maker` decided from `entry`, after which the service is `next`.
    pub(super) fn of(entry: &Entry<ServiceRecord>, next: &ServiceRecord, maker: &str, news: &News) -> Self {
        Self {
            entry: Some(entry.clone()),
            next: next.clone(),
            news: news.clone(),
            maker: maker.to_owned(),
            goes_on: true,
        }
    }

    /// For checking what a service that is not there yet asks for.
    pub(super) fn trial(next: ServiceRecord) -> Self {
        Self {
            entry: None,
            next,
            news: News::default(),
            maker: String::new(),
            goes_on: false,
        }
    }

    /// With the definition that it has.
    pub(super) fn going_on(self) -> Self {
        Self {
            goes_on: true,
            ..self
        }
    }

    /// The id of the nth task of a start.
    pub(crate) fn task_id(&self, nth: usize) -> TaskId {
        let number = self.next.started + nth as u64;
        TaskId::derived(&self.next.id, &format!("task-{number}"))
    }

    pub(crate) fn group(&self) -> String {
        format!("service:{}", self.next.name)
    }

    pub(crate) fn name(&self) -> &str {
        self.next.name.as_str()
    }

    /// Whether it is one that is there, with the definition that it has.
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Those of its tags that its tasks get.
    pub(crate) fn tags(&self, propagate: Option<PropagateTags>) -> Tags {
        match propagate {
            Some(PropagateTags::Service) => self.next.tags.clone(),
            Some(PropagateTags::TaskDefinition | PropagateTags::None) | None => Tags::default(),
        }
    }

    /// The service is another by now.
    pub(crate) async fn has_changed(&self, ecs: &Ecs) -> Result<bool> {
        let Some(entry) = &self.entry else {
            return Ok(false);
        };
        let now = ecs.services().get(&entry.key).await?;
        Ok(now.is_none_or(|now| now.revision != entry.revision))
    }

    /// Writes the service beside its new tasks.
    pub(crate) fn write(
        &self,
        ecs: &Ecs,
        transaction: Transaction,
        tasks: &[TaskRecord],
    ) -> Result<Transaction> {
        let Some(entry) = &self.entry else {
            return Ok(transaction);
        };
        let mut next = self.next.clone();
        let mut news = self.news.clone();
        next.started += tasks.len() as u64;
        next.unsettle(&self.maker);
        *next.unplaced_mut(&self.maker) = None;
        news.line(format!(
            "has started {} tasks: {}.",
            tasks.len(),
            listed(tasks.iter().map(|task| &task.id))
        ));
        Ok(write::replace(ecs, transaction, entry, next, &news).0)
    }
}

/// `(task a) (task b)`
pub(super) fn listed<'t>(ids: impl Iterator<Item = &'t TaskId>) -> String {
    let each: Vec<String> = ids.map(|id| format!("(task {id})")).collect();
    each.join(" ")
}

impl Propagate {
    pub(super) fn to_api(self) -> PropagateTags {
        match self {
            Self::None => PropagateTags::None,
            Self::TaskDefinition => PropagateTags::TaskDefinition,
            Self::Service => PropagateTags::Service,
        }
    }
}
