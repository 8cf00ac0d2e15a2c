//! Reports that wait for a connection: the newest fifteen of each kind, and how the machine does.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use roadstead_acs::FromTelemetry;
use roadstead_acs::telemetry::InstanceStatus;
use tokio::sync::Notify;

/// Five minutes of reports.
const MOST: usize = 15;

/// The frames of one report.
pub(super) type Report = Vec<FromTelemetry>;

#[derive(Default)]
struct Waiting {
    metrics: VecDeque<(u64, Report)>,
    status: Option<InstanceStatus>,
    status_told: bool,
    next: u64,
}

#[derive(Default)]
pub(super) struct Buffer {
    waiting: Mutex<Waiting>,
    news: Notify,
}

impl Buffer {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Beyond the bound the oldest is given up.
    pub(super) fn push(&self, report: Report) {
        let mut waiting = self.waiting();
        if waiting.metrics.len() == MOST {
            waiting.metrics.pop_front();
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.metrics.push_back((number, report));
        drop(waiting);
        self.news.notify_one();
    }

    /// Told when it changes.
    pub(super) fn set_status(&self, status: InstanceStatus) {
        let mut waiting = self.waiting();
        let known = waiting.status.as_ref().map(|known| known.status.as_str());
        if known != Some(status.status.as_str()) {
            waiting.status_told = false;
            self.news.notify_one();
        }
        waiting.status = Some(status);
    }

    /// Whoever is at the other end now may not know it.
    pub(super) fn connected(&self) {
        self.waiting().status_told = false;
    }

    /// Waits until there is something to tell.
    pub(super) async fn something(&self) {
        loop {
            let news = self.news.notified();
            {
                let waiting = self.waiting();
                if !waiting.metrics.is_empty() || (waiting.status.is_some() && !waiting.status_told) {
                    return;
                }
            }
            news.await;
        }
    }

    pub(super) fn untold_status(&self) -> Option<InstanceStatus> {
        let waiting = self.waiting();
        waiting.status.clone().filter(|_| !waiting.status_told)
    }

    /// This status is known at the other end.
    pub(super) fn status_told(&self, told: &InstanceStatus) {
        let mut waiting = self.waiting();
        let known = waiting.status.as_ref().map(|known| known.status.as_str());
        waiting.status_told = known == Some(told.status.as_str());
    }

    /// The oldest report. It stays until [`Buffer::told`] says that it went out.
    pub(super) fn oldest(&self) -> Option<(u64, Report)> {
        self.waiting().metrics.front().cloned()
    }

    pub(super) fn told(&self, number: u64) {
        self.waiting().metrics.retain(|(known, _)| *known != number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str) -> Report {
        vec![FromTelemetry::Unknown(name.to_owned())]
    }

    #[tokio::test]
    async fn the_newest_reports_wait_and_leave_in_order() {
        let buffer = Buffer::default();
        for number in 0..20 {
            buffer.push(report(&number.to_string()));
        }
        buffer.something().await;
        let (first, oldest) = buffer.oldest().expect("a report");
        assert_eq!((first, oldest), (5, report("5")));
        assert_eq!(buffer.oldest().expect("the same").0, 5, "until it was told");
        for number in 5..20 {
            buffer.told(number);
        }
        assert!(buffer.oldest().is_none());
    }

    #[tokio::test]
    async fn a_status_is_told_when_it_changes_and_to_each_connection() {
        let status = |status: &str| InstanceStatus {
            status: status.to_owned(),
            ..InstanceStatus::default()
        };
        let buffer = Buffer::default();
        buffer.set_status(status("OK"));
        buffer.something().await;
        buffer.status_told(&buffer.untold_status().expect("a status"));
        buffer.set_status(status("OK"));
        assert_eq!(buffer.untold_status(), None);
        buffer.connected();
        assert_eq!(buffer.untold_status(), Some(status("OK")));
        // What was told meanwhile is not the newest.
        buffer.set_status(status("IMPAIRED"));
        buffer.status_told(&status("OK"));
        assert_eq!(buffer.untold_status(), Some(status("IMPAIRED")));
    }
}
