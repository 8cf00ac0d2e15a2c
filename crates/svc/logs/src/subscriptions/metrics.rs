//! What became of lines on their way to a destination, as metrics of `AWS/Logs`. Best effort, as all metrics are. Source:
//! "Monitoring with CloudWatch metrics" in the CloudWatch Logs user guide.

use roadstead_base::Partition;
use serde_json::{Value as Json, json};

use crate::{Logs, PRINCIPAL};

/// Of one round of deliveries to one filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub forwarded_events: usize,
    /// Compressed.
    pub forwarded_bytes: usize,
    /// Lines that a destination did not take, each time.
    pub errors: usize,
    /// Of those, lines that it had no time for.
    pub throttled: usize,
}

impl Counts {
    pub(super) async fn publish(self, logs: &Logs, partition: &Partition, group: &str, filter: &str) {
        let Self {
            forwarded_events,
            forwarded_bytes,
            errors,
            throttled,
        } = self;
        let datum = |name: &str, value: usize, unit: &str| {
            json!({
                "MetricName": name,
                "Dimensions": [
                    {"Name": "LogGroupName", "Value": group},
                    {"Name": "DestinationType", "Value": "Lambda"},
                    {"Name": "FilterName", "Value": filter},
                ],
                "Timestamp": logs.clock.now().0 / 1000,
                "Value": value,
                "Unit": unit,
            })
        };
        let mut data: Vec<Json> = Vec::new();
        if forwarded_events > 0 {
            data.push(datum("ForwardedLogEvents", forwarded_events, "None"));
            data.push(datum("ForwardedBytes", forwarded_bytes, "Bytes"));
        }
        if errors > 0 {
            data.push(datum("DeliveryErrors", errors, "None"));
        }
        if throttled > 0 {
            data.push(datum("DeliveryThrottling", throttled, "None"));
        }
        if data.is_empty() {
            return;
        }
        let Partition { account, region } = partition;
        let own = logs
            .dispatcher
            .internal_ctx(PRINCIPAL, account.clone(), region.clone());
        let input = json!({"Namespace": "AWS/Logs", "MetricData": data});
        let put = logs
            .dispatcher
            .call_json("cloudwatch", "PutMetricData", &own, input)
            .await;
        if let Err(error) = put {
            tracing::warn!(group, filter, %error, "the metrics of a subscription could not be written");
        }
    }
}
