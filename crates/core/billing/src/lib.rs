//! What a Fargate task would cost: by the second from the start of its pull to its end, a minute at least, for the CPU,
//! memory and storage that it was given. Pure.
//! Source: the public page "AWS Fargate Pricing".

mod prices;

pub use prices::{Architecture, DEFAULT as DEFAULT_PRICES, PriceError, Prices, Region};

/// Seconds that every task is charged for.
const MINIMUM: i64 = 60;
/// GB of ephemeral storage that every task has for nothing.
const FREE_STORAGE: f64 = 20.0;
const HOUR: f64 = 3600.0;

/// What a task was given, and when. Times are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    pub architecture: Architecture,
    /// CPU units, 1024 to the vCPU.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// GiB, those for nothing included.
    pub storage: i64,
    pub pull_started: i64,
    /// None: it runs.
    pub stopped: Option<i64>,
}

/// From when on, and until when; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub since: i64,
    pub until: i64,
}

/// What is charged for, and in US dollars what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Charge {
    pub seconds: i64,
    pub vcpu_seconds: f64,
    pub gb_seconds: f64,
    pub storage_gb_seconds: f64,
    pub cpu: f64,
    pub memory: f64,
    pub storage: f64,
}

impl Charge {
    pub fn total(&self) -> f64 {
        self.cpu + self.memory + self.storage
    }
}

impl std::ops::Add for Charge {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            vcpu_seconds: self.vcpu_seconds + other.vcpu_seconds,
            gb_seconds: self.gb_seconds + other.gb_seconds,
            storage_gb_seconds: self.storage_gb_seconds + other.storage_gb_seconds,
            cpu: self.cpu + other.cpu,
            memory: self.memory + other.memory,
            storage: self.storage + other.storage,
        }
    }
}

impl std::iter::Sum for Charge {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| sum + one)
    }
}

/// Seconds of the window that a task is charged for. Whole seconds from the start of its pull, the last one begun is
/// charged. A second belongs to the window in which it begins, and what a short task is charged beyond its end to the
/// window in which it ended, so that windows that follow each other charge everything once. `now` is where a task that
/// runs has come: the minute that it is charged at least is known when it ends.
pub fn seconds(usage: &Usage, window: Window, now: i64) -> i64 {
    let start = usage.pull_started;
    let end = usage.stopped.unwrap_or(now).max(start);
    let lasted = ceiling(end - start);
    let all = if usage.stopped.is_some() {
        lasted.max(MINIMUM)
    } else {
        lasted
    };
    // How many of its seconds belong to the time before.
    let before = |time: i64| {
        if time >= end {
            all
        } else {
            ceiling(time.saturating_sub(start).max(0)).min(lasted)
        }
    };
    // Never less than nothing, also where a clock went back.
    (before(window.until) - before(window.since)).max(0)
}

fn ceiling(millis: i64) -> i64 {
    millis.div_euclid(1000) + i64::from(millis.rem_euclid(1000) > 0)
}

/// What a task costs in a window, at a region's prices.
pub fn charge(usage: &Usage, window: Window, now: i64, region: &Region) -> Charge {
    let seconds = seconds(usage, window, now);
    let of = region.of(usage.architecture);
    let length = seconds as f64;
    let vcpu_seconds = usage.cpu as f64 / 1024.0 * length;
    let gb_seconds = usage.memory as f64 / 1024.0 * length;
    let storage_gb_seconds = (usage.storage as f64 - FREE_STORAGE).max(0.0) * length;
    Charge {
        seconds,
        vcpu_seconds,
        gb_seconds,
        storage_gb_seconds,
        cpu: vcpu_seconds / HOUR * of.vcpu_hour,
        memory: gb_seconds / HOUR * of.gb_hour,
        storage: storage_gb_seconds / HOUR * region.storage_gb_hour,
    }
}
