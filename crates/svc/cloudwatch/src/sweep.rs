//! Rolls up samples that are old and clears away history that is, now and then.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{CloudWatch, alarms};

/// Runs until told to stop.
pub(crate) async fn keep(metrics: Arc<CloudWatch>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        let now = metrics.clock.now().0.div_euclid(1000);
        if let Err(error) = metrics.samples.roll_up(now).await {
            tracing::warn!(%error, "samples could not be rolled up; trying again later");
        }
        if let Err(error) = alarms::history::clear(&metrics).await {
            tracing::warn!(%error, "old history of alarms could not be cleared away; trying again later");
        }
        tokio::select! {
            () = tokio::time::sleep(metrics.options.sweep) => {}
            _ = stop.changed() => {}
        }
    }
}
