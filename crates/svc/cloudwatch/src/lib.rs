//! Metrics: numbers with names, kept by the second and told by any period. Samples lie in a volume; what is old is rolled
//! up as documented: seconds for 3 hours, minutes for 15 days, 5 minutes for 63 days, hours for 455 days.

mod error;
mod ops;
mod permissions;
mod queries;
mod samples;
mod service;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_volume::Volume;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use permissions::CloudWatchPermissions;

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Between looks for samples that are to be rolled up.
    pub sweep: Duration,
    /// Different metrics of all accounts; more are refused.
    pub max_series: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sweep: Duration::from_secs(600),
            max_series: 1_000_000,
        }
    }
}

/// The service. Cheap to make again over the same volume: that is what a restart is.
pub struct CloudWatch {
    pub(crate) samples: samples::Samples,
    pub(crate) clock: SharedClock,
    pub(crate) options: Options,
}

/// The service's background duties.
pub struct Running {
    sweeper: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl CloudWatch {
    /// # Errors
    /// The volume cannot be read.
    pub fn new(volume: Volume, clock: SharedClock, options: Options) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            samples: samples::Samples::open(volume)?,
            clock,
            options,
        }))
    }

    /// Starts to roll up what is old.
    pub fn start(self: &Arc<Self>) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running {
            sweeper: tokio::spawn(sweep::keep(Arc::clone(self), stopped)),
            stop,
        }
    }
}

impl Running {
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(failed) = self.sweeper.await {
            tracing::error!(error = %failed, "the sweeper of metrics ended badly");
        }
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;
