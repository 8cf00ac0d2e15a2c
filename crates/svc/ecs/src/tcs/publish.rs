//! Each minute's metrics of clusters and services, put where users read metrics. A minute in which the daemon did not
//! run has none, as it has no reports.
//! Source: the developer guide, "Amazon ECS CloudWatch metrics".

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use roadstead_utilization::{GroupUtilization, Percent, Summary};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::error::Result;
use crate::tasks::key_of_arn;
use crate::tcs::utilization::ClusterUse;
use crate::{Ecs, PRINCIPAL};

const NAMESPACE: &str = "AWS/ECS";
const MINUTE: i64 = 60_000;
const HOUR_OF_MINUTES: i64 = 60;
/// How often it is looked whether a minute is over.
const LOOK: Duration = Duration::from_secs(1);
/// Reports of a minute's last seconds are on their way for a moment.
const GRACE_MILLIS: i64 = 2_000;
/// Data of one call.
const MAX_DATA: usize = 1000;

/// Publishes until it is dropped.
pub(crate) struct Minutes(JoinHandle<()>);

impl Minutes {
    pub(crate) fn start(ecs: Arc<Ecs>) -> Self {
        Self(tokio::spawn(async move {
            let over = |ecs: &Ecs| (ecs.clock.now().0 - GRACE_MILLIS).div_euclid(MINUTE);
            let mut last = over(&ecs);
            loop {
                tokio::time::sleep(LOOK).await;
                let now = over(&ecs);
                if now != last {
                    last = now;
                    if let Err(error) = ecs.publish_minute(Timestamp((now - 1) * MINUTE)).await {
                        tracing::error!(%error, "a minute's metrics could not be made");
                    }
                    if now % HOUR_OF_MINUTES == 0
                        && let Err(error) = ecs.forget_old_usage(ecs.clock.now()).await
                    {
                        tracing::error!(%error, "old records of usage could not be removed");
                    }
                }
            }
        }))
    }
}

impl Drop for Minutes {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ecs {
    /// Puts the metrics of the minute that begins at `minute`.
    pub(super) async fn publish_minute(&self, minute: Timestamp) -> Result<()> {
        self.forget_the_gone().await?;
        let all = self.utilization(minute, minute.plus_millis(MINUTE)).await?;
        for ((partition, cluster), of_cluster) in all {
            let data = data(cluster.as_str(), &of_cluster, minute);
            for data in data.chunks(MAX_DATA) {
                self.put(&partition, data).await;
            }
        }
        Ok(())
    }

    async fn put(&self, partition: &Partition, data: &[Json]) {
        let Partition { account, region } = partition.clone();
        let ctx = self.dispatcher.internal_ctx(PRINCIPAL, account, region);
        let input = json!({"Namespace": NAMESPACE, "MetricData": data});
        let put = self
            .dispatcher
            .call_json("cloudwatch", "PutMetricData", &ctx, input);
        if let Err(error) = put.await {
            tracing::warn!(%error, "a minute's metrics could not be put");
        }
    }

    async fn forget_the_gone(&self) -> Result<()> {
        let mirrors = self.present().await?;
        let task = |arn: &str| key_of_arn(arn).is_some_and(|key| mirrors.tasks.get(&key).is_some());
        let instances = mirrors.instances.snapshot();
        let known: std::collections::HashSet<String> =
            instances.iter().map(|entry| entry.value.name.arn()).collect();
        self.telemetry.retain(task, |arn| known.contains(arn));
        Ok(())
    }
}

/// One cluster's metrics of a minute.
fn data(cluster: &str, of_cluster: &ClusterUse, minute: Timestamp) -> Vec<Json> {
    let ClusterUse {
        reserved,
        used,
        groups,
    } = of_cluster;
    let seconds = minute.0.div_euclid(1000);
    let mut all = Vec::new();
    let mut put = |name: &str, dimensions: &Json, values: (&str, Json)| {
        all.push(json!({
            "MetricName": name, "Dimensions": dimensions, "Timestamp": seconds, "Unit": "Percent", values.0: values.1,
        }));
    };
    let dimensions = json!([{"Name": "ClusterName", "Value": cluster}]);
    let whole = [("Reservation", reserved), ("Utilization", used)];
    for (what, percent) in whole {
        let Some(Percent { cpu, memory }) = percent else {
            continue;
        };
        for (of, value) in [("CPU", cpu), ("Memory", memory)] {
            if let Some(value) = value {
                put(&format!("{of}{what}"), &dimensions, ("Value", json!(value)));
            }
        }
    }
    for (group, GroupUtilization { cpu, memory }) in groups {
        let Some(service) = group.strip_prefix("service:") else {
            continue;
        };
        let dimensions =
            json!([{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}]);
        for (of, summary) in [("CPU", cpu), ("Memory", memory)] {
            if let Some(Summary { count, sum, min, max }) = summary {
                let set = json!({"SampleCount": count, "Sum": sum, "Minimum": min, "Maximum": max});
                put(&format!("{of}Utilization"), &dimensions, ("StatisticValues", set));
            }
        }
    }
    all
}
