//! Health checks: a program run in the container again and again, and what its exit codes amount to. As documented, a
//! container is HEALTHY with the first success, and UNHEALTHY after so many failures in a row; those of its first
//! moments do not count. Nothing is stopped because of it here: that is a service's to decide.

use roadstead_base::Timestamp;
use serde::{Deserialize, Serialize};

use super::docker;
use super::machine::Machine;
use super::spec::Container;
use super::state::Status;

/// Bytes of a check's output that are kept, as Docker keeps them.
pub const MAX_OUTPUT: usize = 4096;

/// What to run, and how often. Milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Program and arguments.
    pub args: Vec<String>,
    /// From one check's end to the next one's beginning.
    pub interval_ms: i64,
    /// A check that takes longer has failed.
    pub timeout_ms: i64,
    /// After the start, failures do not count for so long.
    pub start_period_ms: i64,
    pub retries: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthStatus {
    /// No check has decided yet.
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

impl HealthStatus {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// What is known of a container's health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    pub status: HealthStatus,
    pub since: Option<Timestamp>,
    /// Failures in a row that count.
    pub failures: u32,
    /// When the last check ended.
    pub checked_at: Option<Timestamp>,
    pub exit_code: Option<i32>,
    pub output: String,
}

/// How a check ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub at: Timestamp,
    /// None when it took too long.
    pub code: Option<i32>,
    pub output: String,
}

impl HealthCheck {
    /// # Errors
    /// Why it cannot be run.
    pub fn read(check: &docker::HealthCheck) -> Result<Option<Self>, String> {
        let test = check.test.as_deref().unwrap_or_default();
        let args = match test {
            [none] if none == "NONE" => return Ok(None),
            [kind, args @ ..] if kind == "CMD" && !args.is_empty() => args.to_vec(),
            [kind, args @ ..] if kind == "CMD-SHELL" && !args.is_empty() => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), args.join(" ")]
            }
            _ => return Err(format!("the health check's Test {test:?} cannot be run")),
        };
        // Docker's own defaults, where 0 is unset.
        let time = |nanoseconds: i64, default: i64| match nanoseconds / 1_000_000 {
            0 => default,
            milliseconds => milliseconds,
        };
        let times = [
            time(check.interval, 30_000),
            time(check.timeout, 30_000),
            time(check.start_period, 0),
        ];
        let [interval_ms, timeout_ms, start_period_ms] = times;
        if times.iter().any(|time| !(0..=86_400_000).contains(time)) {
            return Err("a time of the health check is negative, or longer than a day".to_owned());
        }
        Ok(Some(Self {
            args,
            interval_ms,
            timeout_ms,
            start_period_ms,
            retries: match check.retries {
                0 => 3,
                retries => u32::try_from(retries).map_err(|_| "the health check's Retries are negative")?,
            },
        }))
    }
}

impl Health {
    /// Takes in a check of a container that was started then.
    pub(super) fn take(&mut self, check: &HealthCheck, started: Timestamp, checked: Checked) {
        let Checked { at, code, output } = checked;
        self.checked_at = Some(at);
        self.exit_code = code;
        self.output = output;
        let status = if code == Some(0) {
            self.failures = 0;
            HealthStatus::Healthy
        } else {
            // Once it was healthy, it has started.
            let starting = at < started.plus_millis(check.start_period_ms);
            if !starting || self.status == HealthStatus::Healthy {
                self.failures += 1;
            }
            match self.failures >= check.retries {
                true => HealthStatus::Unhealthy,
                false => self.status,
            }
        };
        if status != self.status || self.since.is_none() {
            self.since = Some(at);
        }
        self.status = status;
    }
}

impl Machine {
    /// When the next check of a container is due: none while one runs, or nothing is to be checked.
    pub(super) fn check_due(&self, container: &Container) -> Option<Timestamp> {
        let check = container.health.as_ref()?;
        let state = self.state.containers.get(&container.name)?;
        let wanted = state.known == Status::Running && !state.checking && self.state.stop.is_none();
        let last = state.health.checked_at.max(state.run_since())?;
        wanted.then(|| last.plus_millis(check.interval_ms))
    }

    pub(super) fn checked(&mut self, name: &str, checked: Checked) {
        let Some(check) = self
            .task
            .container(name)
            .and_then(|container| container.health.as_ref())
        else {
            return;
        };
        let Some(state) = self.state.containers.get_mut(name) else {
            return;
        };
        state.checking = false;
        if std::mem::take(&mut state.check_is_old) {
            return;
        }
        // One that ended meanwhile is what it was.
        if state.known == Status::Running
            && let Some(started) = state.run_since()
        {
            state.health.take(check, started, checked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> HealthCheck {
        HealthCheck {
            args: vec!["true".to_owned()],
            interval_ms: 10_000,
            timeout_ms: 5_000,
            start_period_ms: 60_000,
            retries: 3,
        }
    }

    /// Seconds after the start, exit code, what it is then, and since when.
    type Row = (i64, Option<i32>, HealthStatus, i64);

    #[test]
    fn exit_codes_amount_to_a_status() {
        use HealthStatus::{Healthy, Unhealthy, Unknown};
        let rows: [&[Row]; 4] = [
            &[(10, Some(0), Healthy, 10), (20, Some(0), Healthy, 10)],
            // While it starts, failures do not count; afterwards they do.
            &[
                (10, Some(1), Unknown, 10),
                (50, Some(1), Unknown, 10),
                (60, Some(1), Unknown, 10),
                (70, None, Unknown, 10),
                (80, Some(127), Unhealthy, 80),
                (90, Some(0), Healthy, 90),
            ],
            // A success ends the start.
            &[
                (10, Some(0), Healthy, 10),
                (20, Some(1), Healthy, 10),
                (30, Some(1), Healthy, 10),
                (40, Some(1), Unhealthy, 40),
                (50, Some(1), Unhealthy, 40),
            ],
            // Only failures in a row.
            &[
                (70, Some(1), Unknown, 70),
                (80, Some(1), Unknown, 70),
                (90, Some(0), Healthy, 90),
                (100, Some(1), Healthy, 90),
                (110, Some(1), Healthy, 90),
                (120, Some(1), Unhealthy, 120),
            ],
        ];
        let start = Timestamp(1_000_000);
        for row in rows {
            let mut health = Health::default();
            for (seconds, code, status, since) in row {
                let at = start.plus_millis(seconds * 1_000);
                let checked = Checked {
                    at,
                    code: *code,
                    output: String::new(),
                };
                health.take(&check(), start, checked);
                let wanted = (*status, Some(start.plus_millis(since * 1_000)));
                assert_eq!((health.status, health.since), wanted, "{seconds} s of {row:?}");
            }
        }
    }

    #[test]
    fn checks_are_read_as_docker_has_them() {
        let read = |text: &str| {
            let check: docker::HealthCheck = serde_json::from_str(text).expect("reads");
            HealthCheck::read(&check)
        };
        let full = r#"{"Test":["CMD-SHELL","curl -f","x || exit 1"],"Interval":5000000000,"Timeout":2000000000,
            "StartPeriod":300000000000,"Retries":10}"#;
        let wanted = HealthCheck {
            args: ["/bin/sh", "-c", "curl -f x || exit 1"].map(str::to_owned).into(),
            interval_ms: 5_000,
            timeout_ms: 2_000,
            start_period_ms: 300_000,
            retries: 10,
        };
        assert_eq!(read(full), Ok(Some(wanted)));
        let plain = read(r#"{"Test":["CMD","true"]}"#)
            .expect("reads")
            .expect("is one");
        assert_eq!(
            (plain.interval_ms, plain.timeout_ms, plain.retries),
            (30_000, 30_000, 3)
        );
        assert_eq!(read(r#"{"Test":["NONE"]}"#), Ok(None));
        for text in [
            "{}",
            r#"{"Test":[]}"#,
            r#"{"Test":["CMD"]}"#,
            r#"{"Test":["true"]}"#,
            r#"{"Test":["CMD","true"],"Interval":-1000000000}"#,
            r#"{"Test":["CMD","true"],"Retries":-1}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
