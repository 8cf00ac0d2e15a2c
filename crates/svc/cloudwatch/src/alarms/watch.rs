//! Evaluates alarms on time. One task, level-triggered: each round reads what alarms there are and what was not yet
//! evaluated. Alarms with periods below a minute are evaluated every ten seconds, others every minute; composite
//! alarms whenever one they name changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Timestamp;
use roadstead_store::Key;
use tokio::sync::watch;

use super::metric::{self, Down};
use super::records::Watched;
use super::{composite, partition_of};
use crate::CloudWatch;

/// Seconds between evaluations of alarms with periods below a minute, and of the others.
const OFTEN: i64 = 10;
const SELDOM: i64 = 60;
/// The longest sleep: the clock may be set.
const NAP: i64 = 1_000;
/// Composite alarms may name each other in a circle: after so many rounds the rest waits for the next look.
const MAX_PASSES: usize = 16;

pub(crate) struct Watch {
    /// Up to when each metric alarm was evaluated, and with which configuration.
    evaluated: HashMap<Key, (Timestamp, i64)>,
    down: Option<Down>,
    /// The minute that was last noted.
    noted: i64,
}

/// Runs until told to stop.
pub(crate) async fn keep(metrics: Arc<CloudWatch>, mut stop: watch::Receiver<bool>) {
    let mut changes = metrics.alarms.changes();
    let mut watch = Watch::new(&metrics);
    while !*stop.borrow_and_update() {
        let next = watch.round(&metrics).await;
        let wait = (next.0 - metrics.clock.now().0).clamp(0, NAP);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())) => {}
            // A new alarm is evaluated at once, and so is what depends on one that changed.
            _ = changes.next() => {}
            _ = stop.changed() => {}
        }
    }
}

impl Watch {
    pub(crate) fn new(metrics: &CloudWatch) -> Self {
        let now = metrics.clock.now().0.div_euclid(1000);
        let down = metrics.marks.last().map(|last| Down { from: last, to: now });
        Self {
            evaluated: HashMap::new(),
            down: down.filter(|down| down.from < down.to),
            noted: i64::MIN,
        }
    }

    /// Evaluates what is due. When something will be due again.
    pub(crate) async fn round(&mut self, metrics: &CloudWatch) -> Timestamp {
        let settle = i64::try_from(metrics.options.settle.as_millis()).unwrap_or(i64::MAX);
        let ready = (metrics.clock.now().0 - settle).div_euclid(1000);
        let snapshot = metrics.alarms.snapshot();
        self.evaluated.retain(|key, _| snapshot.get(key).is_some());
        for entry in snapshot.iter() {
            let Watched::Metric(watched) = &entry.value.watched else {
                continue;
            };
            let Some(partition) = partition_of(&entry.key) else {
                continue;
            };
            let every = if watched.period() < SELDOM { OFTEN } else { SELDOM };
            let at = ready.div_euclid(every) * every;
            let current = (entry.value.configured_at, at);
            if self.evaluated.get(&entry.key) == Some(&current) {
                continue;
            }
            match metric::evaluate(metrics, &partition, &entry.value.name, at, self.down).await {
                Ok(_) => {
                    self.evaluated.insert(entry.key.clone(), current);
                }
                Err(error) => {
                    tracing::warn!(alarm = %entry.key, %error, "an alarm could not be evaluated; trying again");
                }
            }
        }
        let soonest = self.composites(metrics).await;
        self.note(metrics).await;
        let next = Timestamp((ready.div_euclid(OFTEN) * OFTEN + OFTEN) * 1000 + settle);
        soonest.map_or(next, |soonest| soonest.min(next))
    }

    async fn composites(&self, metrics: &CloudWatch) -> Option<Timestamp> {
        for _ in 0..MAX_PASSES {
            let mut changed = false;
            for entry in metrics.alarms.snapshot().iter() {
                if matches!(entry.value.watched, Watched::Metric(_)) {
                    continue;
                }
                let Some(partition) = partition_of(&entry.key) else {
                    continue;
                };
                match composite::settle(metrics, &partition, &entry.value.name).await {
                    Ok(moved) => changed |= moved,
                    Err(error) => {
                        tracing::warn!(alarm = %entry.key, %error, "a composite alarm could not be decided; trying again");
                    }
                }
            }
            if !changed {
                break;
            }
        }
        let snapshot = metrics.alarms.snapshot();
        snapshot
            .iter()
            .filter_map(|entry| composite::due(&entry.value))
            .min()
    }

    /// Notes each minute that the service runs, so that the next one knows since when nobody could hand in samples.
    async fn note(&mut self, metrics: &CloudWatch) {
        let now = metrics.clock.now().0.div_euclid(1000);
        let minute = now.div_euclid(SELDOM);
        if minute == self.noted {
            return;
        }
        match metrics.marks.set(now).await {
            Ok(()) => self.noted = minute,
            Err(error) => tracing::warn!(%error, "that alarms are watched could not be noted"),
        }
    }
}
