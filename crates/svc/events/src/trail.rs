//! Calls as events. Each call by somebody from outside that manages something becomes an `AWS API Call via CloudTrail`
//! event on the default bus, if a rule there could want it; which is asked before the call, so that nothing is copied
//! for nobody. Best effort, as documented: what waits to be written down is in memory, and lost by a crash.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use roadstead_base::{Ctx, Partition, random_uuid};
use roadstead_dispatch::{Coming, Observer};
use serde_json::Value as Json;
use tokio::sync::mpsc;

use crate::Events;
use crate::envelope::Event;
use crate::names::DEFAULT_BUS;
use crate::tables::rules_of;

pub(crate) const API_CALL: &str = "AWS API Call via CloudTrail";
/// Calls that wait; what comes while so many wait is no event.
const WAITING: usize = 4096;

/// Whether only rules that ask for every call get the event: it tells of a call that changed nothing.
pub(crate) fn is_read(event: &Json) -> bool {
    event["detail-type"] == API_CALL && event["detail"]["readOnly"] == true
}

/// The source of the events of a service's calls: `aws.ecs` of `ecs.amazonaws.com`.
fn source(event_source: &str) -> String {
    let service = event_source.split('.').next().unwrap_or(event_source);
    format!("aws.{service}")
}

type Told = (Partition, Json);

/// Where calls wait to be written down.
pub(crate) struct Waiting {
    into: mpsc::Sender<Told>,
    out: Mutex<Option<mpsc::Receiver<Told>>>,
}

impl Default for Waiting {
    fn default() -> Self {
        let (into, out) = mpsc::channel(WAITING);
        Self {
            into,
            out: Mutex::new(Some(out)),
        }
    }
}

impl Waiting {
    pub(crate) fn take(&self) -> Option<mpsc::Receiver<Told>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Makes events of calls.
pub struct Trail(Weak<Events>);

impl Trail {
    pub fn of(events: &Arc<Events>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(events)))
    }
}

impl Observer for Trail {
    fn wants(&self, coming: Coming<'_>) -> bool {
        let ctx = coming.ctx;
        // What the platform does itself, or on somebody's behalf, would make rules run in circles.
        if !ctx.caller.is_customer() || ctx.origin.via.is_some() || !coming.manages() {
            return false;
        }
        let Some(events) = self.0.upgrade() else {
            return false;
        };
        let bus = rules_of(&ctx.partition(), DEFAULT_BUS);
        let source = source(&coming.event_source());
        events
            .router
            .wants_call(&events.rules.snapshot(), &bus, &source, coming.reads())
    }

    fn called_whole(&self, ctx: &Ctx, record: Json) {
        let Some(events) = self.0.upgrade() else { return };
        if events.calls.into.try_send((ctx.partition(), record)).is_err() {
            tracing::warn!(
                request_id = ctx.request_id,
                "a call became no event: too many wait to be written down"
            );
        }
    }
}

/// Writes calls down until the channel is closed, which ends once what waits in it is written.
pub(crate) async fn keep(
    events: Arc<Events>,
    mut calls: mpsc::Receiver<Told>,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    loop {
        let told = tokio::select! {
            biased;
            told = calls.recv() => told,
            _ = stop.changed() => {
                calls.close();
                continue;
            }
        };
        let Some((partition, record)) = told else { return };
        let event = Event {
            id: random_uuid(),
            source: source(record["eventSource"].as_str().unwrap_or_default()),
            detail_type: API_CALL.into(),
            time: events.clock.now(),
            resources: Vec::new(),
            detail: record,
        };
        let routed = events.route(
            &partition,
            DEFAULT_BUS,
            &event.id,
            &event.to_json(&partition),
            &[],
        );
        if let Err(error) = events.owe(&partition, routed).await {
            tracing::warn!(%error, "a call became no event");
        }
    }
}
