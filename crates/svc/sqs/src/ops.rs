//! The operations, one module each.

pub(crate) mod attributes;
pub(crate) mod batch;
pub(crate) mod create;
pub(crate) mod delete_message;
pub(crate) mod delete_queue;
pub(crate) mod list;
pub(crate) mod move_tasks;
pub(crate) mod permission;
pub(crate) mod purge;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod tags;
pub(crate) mod url;
pub(crate) mod visibility;

use std::sync::Arc;

use roadstead_base::Ctx;
use roadstead_store::{Change, Entry};

use crate::Sqs;
use crate::error::{Error, Result};
use crate::names;
use crate::records::{self, QueueRecord};

impl Sqs {
    /// The queue of a URL.
    pub(crate) fn queue(&self, ctx: &Ctx, url: &str) -> Result<Arc<Entry<QueueRecord>>> {
        self.named(ctx, names::of_url(ctx, url)?)
            .ok_or(Error::NoSuchQueue)
    }

    pub(crate) fn named(&self, ctx: &Ctx, name: &str) -> Option<Arc<Entry<QueueRecord>>> {
        self.queues
            .get(&records::queues(&self.store).key(&ctx.partition(), name))
    }

    /// Changes the record of a queue; the change can be seen when it returns.
    pub(crate) async fn change(
        &self,
        ctx: &Ctx,
        url: &str,
        mut change: impl FnMut(&mut QueueRecord) -> Result<()>,
    ) -> Result<()> {
        let table = records::queues(&self.store);
        let key = table.key(&ctx.partition(), names::of_url(ctx, url)?);
        let update = |found: Option<&QueueRecord>| {
            let found = found.ok_or(Error::NoSuchQueue)?;
            let mut record = found.clone();
            change(&mut record)?;
            Ok::<_, Error>(match record == *found {
                true => Change::Keep,
                false => Change::Put(record),
            })
        };
        let updated = table.update(&key, update).await?;
        self.queues.wait_for(updated.revision).await?;
        Ok(())
    }
}
