//! Clears away messages that are older than their queue keeps them, what was sent too long ago to be the same again, and
//! what is left of queues that are no more.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::Sqs;
use crate::error::Result;

pub(crate) async fn keep(sqs: Arc<Sqs>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        if let Err(error) = once(&sqs).await {
            tracing::warn!(%error, "old messages could not be cleared away; trying again later");
        }
        tokio::select! {
            () = tokio::time::sleep(sqs.options.sweep) => {}
            _ = stop.changed() => {}
        }
    }
}

pub(crate) async fn once(sqs: &Sqs) -> Result<()> {
    let now = sqs.clock.now();
    for entry in sqs.queues.snapshot().iter() {
        sqs.expire(&entry.value, now).await?;
        if entry.value.fifo {
            sqs.messages.forget_sent(entry.value.id, now).await?;
        }
    }
    Ok(())
}

impl Sqs {
    /// Messages whose queue is no more: a crash came between its deletion and theirs.
    pub(crate) async fn clear_orphans(&self) -> Result<()> {
        let known: HashSet<u64> = self
            .queues
            .snapshot()
            .iter()
            .map(|entry| entry.value.id)
            .collect();
        for queue in self.messages.queues() {
            if !known.contains(&queue) {
                self.messages.forget(queue).await?;
            }
        }
        Ok(())
    }
}
