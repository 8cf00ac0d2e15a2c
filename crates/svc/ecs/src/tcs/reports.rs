//! What agents said last, in memory and bounded: a new daemon knows it again after twenty seconds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use roadstead_acs::telemetry::InstanceStatus;
use roadstead_base::Timestamp;
use roadstead_utilization::{Amount, mean};
use tokio::sync::watch;

/// Reports kept of a task: five minutes of them.
const REPORTS: usize = 15;
/// Tasks and instances known at a time; what comes beyond them is not kept.
const MAX_KNOWN: usize = 100_000;

/// One report of one task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Report {
    pub at: Timestamp,
    /// CPU units and MiB, the mean of the twenty seconds before.
    pub used: Amount,
}

/// How a container does, by its own health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Healthy,
    Unhealthy,
    Unknown,
}

impl Status {
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "HEALTHY" => Some(Self::Healthy),
            "UNHEALTHY" => Some(Self::Unhealthy),
            "UNKNOWN" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// Of a task's containers by name; and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    pub at: Timestamp,
    pub containers: BTreeMap<String, (Status, Timestamp)>,
}

impl Health {
    pub(crate) fn of(&self, container: &str) -> Option<Status> {
        self.containers.get(container).map(|(status, _)| *status)
    }
}

/// Why a connection is to end, once there is a reason.
type Stop = watch::Receiver<Option<&'static str>>;

#[derive(Default)]
struct State {
    reports: HashMap<String, VecDeque<Report>>,
    health: HashMap<String, Health>,
    instances: HashMap<String, Vec<InstanceStatus>>,
    live: HashMap<String, (u64, watch::Sender<Option<&'static str>>)>,
}

/// By the ARNs of tasks and of container instances.
#[derive(Default)]
pub(crate) struct Telemetry {
    state: Mutex<State>,
    next: AtomicU64,
}

impl Telemetry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of an instance; an earlier one ends.
    pub(super) fn open(&self, instance: &str) -> (u64, Stop) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (stop, stopped) = watch::channel(None);
        let old = self.state().live.insert(instance.to_owned(), (id, stop));
        if let Some((_, old)) = old {
            old.send_replace(Some(
                "another connection of the same container instance took over",
            ));
        }
        (id, stopped)
    }

    pub(super) fn leave(&self, instance: &str, id: u64) {
        let mut state = self.state();
        if state.live.get(instance).is_some_and(|(live, _)| *live == id) {
            state.live.remove(instance);
        }
    }

    pub(crate) fn close_all(&self, why: &'static str) {
        for (_, stop) in self.state().live.values() {
            stop.send_replace(Some(why));
        }
    }

    pub(super) fn report(&self, task: &str, report: Report) {
        let mut state = self.state();
        if state.reports.len() >= MAX_KNOWN && !state.reports.contains_key(task) {
            return;
        }
        let reports = state.reports.entry(task.to_owned()).or_default();
        // Those that were held back may come after newer ones; the same one may come twice.
        match reports.binary_search_by_key(&report.at, |known| known.at) {
            Ok(_) => {}
            Err(place) => reports.insert(place, report),
        }
        while reports.len() > REPORTS {
            reports.pop_front();
        }
    }

    /// The last reports of a task, oldest first.
    pub(crate) fn reports_of(&self, task: &str) -> Vec<Report> {
        let state = self.state();
        let reports = state.reports.get(task);
        reports
            .map(|reports| reports.iter().copied().collect())
            .unwrap_or_default()
    }

    /// What a task used in the mean of `[from, until)`; `None` if nothing was heard of it then.
    pub(super) fn used(&self, task: &str, from: Timestamp, until: Timestamp) -> Option<Amount> {
        let within: Vec<Amount> = self
            .reports_of(task)
            .into_iter()
            .filter(|report| report.at >= from && report.at < until)
            .map(|report| report.used)
            .collect();
        mean(&within)
    }

    pub(super) fn healthy(&self, task: &str, health: Health) {
        let mut state = self.state();
        let newer = state.health.get(task).is_none_or(|known| known.at <= health.at);
        if newer && (state.health.len() < MAX_KNOWN || state.health.contains_key(task)) {
            state.health.insert(task.to_owned(), health);
        }
    }

    /// What a task's health checks said last.
    pub(crate) fn health_of(&self, task: &str) -> Option<Health> {
        self.state().health.get(task).cloned()
    }

    pub(super) fn instance(&self, instance: &str, statuses: Vec<InstanceStatus>) {
        let mut state = self.state();
        if state.instances.len() < MAX_KNOWN || state.instances.contains_key(instance) {
            state.instances.insert(instance.to_owned(), statuses);
        }
    }

    /// What an instance said of itself last.
    pub(crate) fn statuses_of(&self, instance: &str) -> Vec<InstanceStatus> {
        self.state().instances.get(instance).cloned().unwrap_or_default()
    }

    /// Forgets tasks and instances that are not there any more.
    pub(super) fn retain(&self, task: impl Fn(&str) -> bool, instance: impl Fn(&str) -> bool) {
        let mut state = self.state();
        state.reports.retain(|arn, _| task(arn));
        state.health.retain(|arn, _| task(arn));
        state.instances.retain(|arn, _| instance(arn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(at: i64, cpu: f64) -> Report {
        Report {
            at: Timestamp(at),
            used: Amount { cpu, memory: 1.0 },
        }
    }

    #[test]
    fn reports_are_kept_in_order_once_and_not_for_ever() {
        let telemetry = Telemetry::default();
        for at in [20, 10, 30, 20] {
            telemetry.report("t", report(at, at as f64));
        }
        let times: Vec<i64> = telemetry
            .reports_of("t")
            .iter()
            .map(|report| report.at.0)
            .collect();
        assert_eq!(times, [10, 20, 30]);
        assert_eq!(
            telemetry
                .used("t", Timestamp(10), Timestamp(30))
                .expect("a mean")
                .cpu,
            15.0
        );
        assert_eq!(telemetry.used("t", Timestamp(31), Timestamp(90)), None);
        for at in 0..100 {
            telemetry.report("t", report(1000 + at, 0.0));
        }
        let kept = telemetry.reports_of("t");
        assert_eq!((kept.len(), kept[0].at.0), (REPORTS, 1085));
        telemetry.retain(|task| task != "t", |_| true);
        assert!(telemetry.reports_of("t").is_empty());
    }

    #[test]
    fn older_health_does_not_replace_newer() {
        let telemetry = Telemetry::default();
        let health = |at, status| Health {
            at: Timestamp(at),
            containers: BTreeMap::from([("web".to_owned(), (status, Timestamp(0)))]),
        };
        telemetry.healthy("t", health(20, Status::Healthy));
        telemetry.healthy("t", health(10, Status::Unhealthy));
        assert_eq!(telemetry.health_of("t"), Some(health(20, Status::Healthy)));
    }

    #[test]
    fn a_new_connection_ends_the_old_one() {
        let telemetry = Telemetry::default();
        let (old, stopped) = telemetry.open("i");
        let (new, open) = telemetry.open("i");
        assert!(stopped.borrow().is_some() && open.borrow().is_none());
        telemetry.leave("i", old);
        telemetry.close_all("enough");
        assert_eq!(*open.borrow(), Some("enough"));
        telemetry.leave("i", new);
    }
}
