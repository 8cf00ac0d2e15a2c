//! One invocation: within its limits, as the function's role, and counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roadstead_base::Partition;
use roadstead_functions::{Ending, Image, Invocation, Outcome, Package, Spec, Zip};

use crate::Lambda;
use crate::concurrency::Bounds;
use crate::counts::{Metric, Of};
use crate::error::{Error, Result};
use crate::host::Role;
use crate::names::{self, Named};
use crate::records::{Code, FunctionRecord, ImageRecord, ImageSettings, Settings, VersionRecord};

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub partition: Partition,
    pub function: FunctionRecord,
    pub version: VersionRecord,
    /// The version or alias that was asked for.
    pub qualifier: Option<String>,
    pub request_id: String,
    pub payload: Bytes,
    pub client_context: Option<String>,
    /// Whether the end of its log is wanted.
    pub tail: bool,
}

impl Lambda {
    /// The function, and the version of it that an invocation is to run.
    pub(crate) fn to_run(
        &self,
        partition: &Partition,
        named: &Named,
    ) -> Result<(FunctionRecord, VersionRecord)> {
        self.with_function(partition, named, |function| {
            self.chosen(partition, function, named)
        })
    }

    /// Runs it to its end, also when nobody waits for it any more.
    pub(crate) async fn run(self: &Arc<Self>, job: Job) -> Result<Outcome> {
        let lambda = Arc::clone(self);
        let running = tokio::spawn(async move { lambda.run_here(job).await });
        let broken = |_| Error::Sandbox(roadstead_functions::Error::Failed("it was interrupted".into()));
        running.await.map_err(broken)?
    }

    async fn run_here(&self, job: Job) -> Result<Outcome> {
        let of = Of::new(&job);
        let place = self.running.enter(
            &job.partition,
            &job.function.name,
            self.bounds(&job.partition, &job.function),
        );
        let place = place.inspect_err(|_| self.count(&of, Metric::Throttles, 1.0))?;
        self.count(&of, Metric::ConcurrentExecutions, f64::from(place.at_once));
        self.counts
            .all_at_once(&job.partition, place.at_once_in_all, self.clock.now());
        let arn = names::arn(&job.partition, &job.function.name, None);
        let ctx = self.dispatcher.internal_ctx(
            crate::PRINCIPAL,
            job.partition.account.clone(),
            job.partition.region.clone(),
        );
        // Also where an environment is there already: what was revoked counts from the next call on.
        self.check_role(&ctx, &job.version.role, &arn)
            .map_err(|_| Error::Role)?;
        let spec = Arc::new(self.spec(&job));
        let invocation = Invocation {
            request_id: job.request_id,
            invoked_arn: names::arn(&job.partition, &job.function.name, job.qualifier.as_deref()),
            payload: job.payload,
            client_context: job.client_context,
            tail: job.tail,
        };
        let outcome = self.sandboxes.invoke(&spec, invocation).await;
        match &outcome {
            Ok(Outcome { ending, report, .. }) => {
                self.count(&of, Metric::Invocations, 1.0);
                let failed = matches!(ending, Ending::Failed(_));
                self.count(&of, Metric::Errors, if failed { 1.0 } else { 0.0 });
                self.count(&of, Metric::Duration, report.duration.as_secs_f64() * 1000.0);
            }
            Err(roadstead_functions::Error::NoRoom(_)) => self.count(&of, Metric::Throttles, 1.0),
            Err(_) => {}
        }
        drop(place);
        Ok(outcome?)
    }

    pub(crate) fn count(&self, of: &Of, metric: Metric, value: f64) {
        self.counts.add(of, metric, value, self.clock.now());
    }

    fn bounds(&self, partition: &Partition, function: &FunctionRecord) -> Bounds {
        Bounds {
            reserved: function.reserved,
            unreserved: self.unreserved(partition, None),
        }
    }

    fn package(&self, code: &Code, settings: &Settings) -> Package {
        match code {
            Code::Archive(archive) => Package::Zip(Zip {
                code: self.contents.unpacked(archive),
                layers: settings
                    .layers
                    .iter()
                    .map(|layer| self.contents.unpacked(&layer.archive))
                    .collect(),
                // An archive without them is never taken.
                runtime: settings.runtime.clone().unwrap_or_default(),
                handler: settings.handler.clone().unwrap_or_default(),
            }),
            Code::Image(ImageRecord { resolved, .. }) => {
                let ImageSettings {
                    entry_point,
                    command,
                    working_directory,
                } = settings.image.clone();
                Package::Image(Image {
                    name: resolved.clone(),
                    entry_point,
                    command,
                    working_directory,
                })
            }
        }
    }

    fn spec(&self, job: &Job) -> Spec {
        let VersionRecord {
            code,
            settings,
            role,
            revision,
            ..
        } = &job.version;
        Spec {
            revision: revision.clone(),
            account: job.partition.account.clone(),
            region: job.partition.region.clone(),
            function: job.function.name.clone(),
            version: job.version.version(),
            package: self.package(code, settings),
            environment: settings.environment.clone().unwrap_or_default(),
            memory_mb: settings.memory_mb,
            tmp_mb: settings.tmp_mb,
            timeout: Duration::from_secs(settings.timeout_seconds.into()),
            architecture: settings.architecture(),
            log_group: settings.log_group(&job.function.name),
            host: Arc::new(Role {
                service: Arc::clone(&self.host),
                role: role.clone(),
            }),
        }
    }
}
