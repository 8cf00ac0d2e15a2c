//! Interfaces that the control plane announced: each is attached as soon as a map has it, and the control plane
//! is told when it is there, also by an agent that came later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_acs as acs;
use tokio::task::{AbortHandle, JoinSet};

use super::engine::{Inner, lock, tell};
use super::record::{ATTACHMENTS, AttachmentRecord};
use crate::journal::{self, Journal, JournalError};
use crate::upstream::{Attachment, News};

/// Announced interfaces at the same time; the oldest beyond it are forgotten, since none is announced twice.
const MOST: usize = 10_000;

/// What is announced, by interface id.
pub(super) struct Attachments {
    records: Mutex<BTreeMap<String, AttachmentRecord>>,
    jobs: Mutex<JoinSet<()>>,
    running: Mutex<BTreeMap<String, AbortHandle>>,
}

impl Attachments {
    pub(super) async fn load(journal: &dyn Journal) -> Result<Self, JournalError> {
        let mut records = BTreeMap::new();
        for (name, text) in journal.all(ATTACHMENTS).await? {
            records.insert(
                name.clone(),
                journal::read(&format!("{ATTACHMENTS}/{name}"), &text)?,
            );
        }
        Ok(Self {
            records: Mutex::new(records),
            jobs: Mutex::default(),
            running: Mutex::default(),
        })
    }

    pub(super) fn interfaces(&self) -> BTreeSet<String> {
        lock(&self.records).keys().cloned().collect()
    }

    /// Goes on with those that the control plane does not know to be attached.
    pub(super) fn resume(inner: &Arc<Inner>) {
        let untold: Vec<_> = lock(&inner.attachments.records)
            .values()
            .filter(|record| !record.told)
            .cloned()
            .collect();
        for record in untold {
            Self::work_on(inner, record);
        }
    }

    pub(super) async fn announce(
        inner: &Arc<Inner>,
        message: &acs::AttachTaskNetworkInterfaces,
    ) -> Result<(), JournalError> {
        let wait = message.wait_timeout_ms.clamp(0, 24 * 60 * 60 * 1000);
        for interface in &message.elastic_network_interfaces {
            let plain = !interface.ec2_id.is_empty()
                && interface
                    .ec2_id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if let Err(error) = crate::engine::decode::check_interface(interface) {
                tracing::warn!(task = message.task_arn, %error, "an announced interface is not attached");
                continue;
            }
            if !plain {
                tracing::warn!(
                    task = message.task_arn,
                    id = interface.ec2_id,
                    "not the id of an interface"
                );
                continue;
            }
            let known = lock(&inner.attachments.records).get(&interface.ec2_id).cloned();
            if known.is_some_and(|known| known.interface == *interface && known.task_arn == message.task_arn)
            {
                continue;
            }
            let record = AttachmentRecord {
                task_arn: message.task_arn.clone(),
                cluster: message.task_cluster_arn.clone(),
                interface: interface.clone(),
                expires_at: inner.clock.now().plus_millis(wait).0,
                told: false,
            };
            Self::save(inner, &record).await?;
            Self::work_on(inner, record);
        }
        Ok(())
    }

    async fn save(inner: &Inner, record: &AttachmentRecord) -> Result<(), JournalError> {
        let id = record.interface.ec2_id.clone();
        let text = journal::write(record).map_err(|source| JournalError::Corrupt {
            path: id.clone().into(),
            source,
        })?;
        // An interface goes down with the machine, so its record need not outlive that.
        inner.journal.note(&format!("{ATTACHMENTS}/{id}"), text).await?;
        let mut records = lock(&inner.attachments.records);
        records.insert(id, record.clone());
        while records.len() > MOST {
            records.pop_first();
        }
        Ok(())
    }

    /// Attaches, tells, and writes down that it was told.
    fn work_on(inner: &Arc<Inner>, record: AttachmentRecord) {
        let id = record.interface.ec2_id.clone();
        let worker = Arc::clone(inner);
        let mut jobs = lock(&inner.attachments.jobs);
        while jobs.try_join_next().is_some() {}
        let handle = jobs.spawn(async move {
            let stop = worker.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = Self::attach(&worker, record) => {}
            }
        });
        if let Some(old) = lock(&inner.attachments.running).insert(id, handle) {
            old.abort();
        }
    }

    async fn attach(inner: &Arc<Inner>, mut record: AttachmentRecord) {
        let id = record.interface.ec2_id.clone();
        let left = record.expires_at - inner.clock.now().0;
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        match tokio::time::timeout(left, inner.driver.attach(&record.interface)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(interface = id, task = record.task_arn, %error, "not attached");
                return;
            }
            Err(_) => {
                tracing::warn!(
                    interface = id,
                    task = record.task_arn,
                    "no map had it in time; nobody waits any more"
                );
                return;
            }
        }
        let attachment = Attachment {
            attachment_arn: record.interface.attachment_arn.clone(),
            status: "ATTACHED",
        };
        tell(
            inner,
            &record.cluster,
            &record.task_arn,
            &News::Attachments(vec![attachment]),
        )
        .await;
        record.told = true;
        if let Err(error) = Self::save(inner, &record).await {
            tracing::warn!(interface = id, %error, "that it was told is told again by the next agent");
        }
    }

    /// Forgets those that no map and no task has.
    pub(super) async fn retain(inner: &Inner, wanted: &BTreeSet<String>) {
        let now = inner.clock.now().0;
        let gone: Vec<String> = lock(&inner.attachments.records)
            .iter()
            // One that no map has yet may still come.
            .filter(|(id, record)| !wanted.contains(*id) && (record.told || record.expires_at < now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            lock(&inner.attachments.records).remove(&id);
            if let Some(job) = lock(&inner.attachments.running).remove(&id) {
                job.abort();
            }
            if let Err(error) = inner.journal.remove(&format!("{ATTACHMENTS}/{id}")).await {
                tracing::warn!(interface = id, %error, "its record could not be removed");
            }
        }
    }

    pub(super) fn abandon(&self) {
        lock(&self.jobs).abort_all();
    }

    pub(super) async fn shut_down(inner: &Inner) {
        let mut jobs = std::mem::take(&mut *lock(&inner.attachments.jobs));
        while jobs.join_next().await.is_some() {}
    }
}
