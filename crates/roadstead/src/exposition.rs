//! What Prometheus and its kin scrape at `/_roadstead/metrics`: how this process does, and the last point of each
//! CloudWatch metric that is written to. Anybody who reaches the loopback listener may read it, as it trusts strangers
//! with everything; elsewhere nobody but the account's root may, signed for `monitoring`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use roadstead_base::{Caller, Ctx, SharedClock};
use roadstead_cloudwatch::{CloudWatch, Latest};
use roadstead_dispatch::{Dispatcher, Raw, RawRequest, RawResponse};
use roadstead_ecs::Ecs;
use roadstead_outbox::Event;
use roadstead_protocol::BoxFuture;
use roadstead_store::{Mirror, Store};
use roadstead_volume::Volume;

pub(crate) const PATH: &str = "/_roadstead/metrics";
/// CloudWatch metrics that are told; of more it is said how many are left out.
const MOST: usize = 10_000;
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) struct Exposition {
    pub clock: SharedClock,
    pub dispatcher: Arc<Dispatcher>,
    pub store: Arc<dyn Store>,
    pub volume: Volume,
    pub waiting: Mirror<Event>,
    pub ecs: Arc<Ecs>,
    pub metrics: Arc<CloudWatch>,
}

impl Raw for Exposition {
    fn is_open_to_strangers(&self) -> bool {
        true
    }

    fn serve<'a>(&'a self, ctx: Ctx, request: RawRequest) -> BoxFuture<'a, RawResponse> {
        Box::pin(async move {
            let (status, kind, body) = match (request.method(), request.uri().path()) {
                _ if ctx.caller != Caller::Root => (
                    StatusCode::FORBIDDEN,
                    "text/plain",
                    "This is for the account's root.\n".to_owned(),
                ),
                (&Method::GET, PATH) => match self.tell().await {
                    Ok(text) => (StatusCode::OK, OPENMETRICS, text),
                    Err(error) => {
                        tracing::error!(
                            error = format!("{error:#}"),
                            "the metrics of this process could not be told"
                        );
                        (
                            StatusCode::INTERNAL_SERVER_ERROR,
                            "text/plain",
                            "See the daemon's log.\n".to_owned(),
                        )
                    }
                },
                (_, PATH) => (
                    StatusCode::METHOD_NOT_ALLOWED,
                    "text/plain",
                    "Only GET is answered here.\n".to_owned(),
                ),
                _ => (
                    StatusCode::NOT_FOUND,
                    "text/plain",
                    format!("There is nothing here but {PATH}.\n"),
                ),
            };
            let mut response = Response::new(Full::new(Bytes::from(body)).into());
            *response.status_mut() = status;
            let kind = header::HeaderValue::from_static(kind);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        })
    }
}

impl Exposition {
    async fn tell(&self) -> Result<String> {
        let mut registry = Registry::default();
        self.dispatcher.meters().register(&mut registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("roadstead_build", "Which release this is", build);
        let commits = ConstCounter::new(self.store.revision().await?.0);
        registry.register(
            "roadstead_store_commits",
            "Commits of the store since it was made",
            commits,
        );
        let waiting = self.waiting.snapshot();
        let oldest = waiting.iter().map(|entry| entry.value.at.0).min();
        let age = oldest.map_or(0.0, |oldest| (self.clock.now().0 - oldest).max(0) as f64 / 1000.0);
        let pending = ConstGauge::new(waiting.len() as f64);
        registry.register(
            "roadstead_outbox_waiting",
            "Events that were not delivered to the event service yet",
            pending,
        );
        registry.register(
            "roadstead_outbox_lag_seconds",
            "Age of the oldest of them",
            ConstGauge::new(age),
        );
        let bytes = ConstGauge::new(self.volume.disk_bytes()? as f64);
        registry.register(
            "roadstead_volume_bytes",
            "Bytes on disk of log lines and samples",
            bytes,
        );
        let tasks: Family<Vec<(&str, &str)>, Gauge> = Family::default();
        for (status, count) in self.ecs.tasks_by_status().await? {
            tasks
                .get_or_create(&vec![("status", status)])
                .set(i64::try_from(count)?);
        }
        registry.register("roadstead_tasks", "Tasks by their last status", tasks);
        let memory = ConstGauge::new(resident().await? as f64);
        registry.register(
            "process_resident_memory_bytes",
            "Resident memory of the process",
            memory,
        );
        let metrics = self.metrics.clone();
        let (latest, beyond) = tokio::task::spawn_blocking(move || metrics.latest(MOST)).await??;
        let beyond = ConstGauge::new(beyond as f64);
        registry.register(
            "roadstead_exposition_left_out",
            "CloudWatch metrics beyond those that are told",
            beyond,
        );
        registry.register_collector(Box::new(Kept(families(latest))));
        let mut told = String::new();
        text::encode(&mut told, &registry)?;
        Ok(told)
    }
}

/// Bytes of this process in memory.
async fn resident() -> Result<u64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.unwrap_or_default() * 1024)
}

type Labels = Vec<(String, String)>;

/// Metrics by the name they are told under.
#[derive(Debug)]
struct Kept(BTreeMap<String, Vec<(Labels, f64)>>);

impl Collector for Kept {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, all) in &self.0 {
            let help = "The average of the last point of this CloudWatch metric";
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, value) in all {
                ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

/// Names and labels as Prometheus has them. What the metric is called in CloudWatch is told too, as several may become
/// the same name; whatever is the same in all of this is told once.
fn families(latest: Vec<Latest>) -> BTreeMap<String, Vec<(Labels, f64)>> {
    let mut families: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
    for latest in latest {
        let name = format!(
            "cloudwatch_{}_{}",
            clean(&latest.namespace),
            clean(&latest.metric)
        );
        let mut labels = vec![
            ("account".to_owned(), latest.account),
            ("region".to_owned(), latest.region),
            ("namespace".to_owned(), latest.namespace),
            ("metric".to_owned(), latest.metric),
            ("unit".to_owned(), latest.unit),
        ];
        let mut taken: HashSet<String> = labels.iter().map(|(label, _)| label.clone()).collect();
        for (dimension, value) in latest.dimensions {
            let mut label = format!("dimension_{}", clean(&dimension));
            while !taken.insert(label.clone()) {
                label.push('_');
            }
            labels.push((label, value));
        }
        families.entry(name).or_default().push((labels, latest.average));
    }
    families
}

/// Letters, digits and underscores.
fn clean(text: &str) -> String {
    let cleaned = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    cleaned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dimensions_become_names_and_labels() {
        let latest = |metric: &str, dimensions: &[(&str, &str)], average: f64| Latest {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            namespace: "AWS/My App".to_owned(),
            metric: metric.to_owned(),
            dimensions: dimensions
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            unit: "Count".to_owned(),
            second: 0,
            average,
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Kept(families(vec![
            latest("Load.1", &[("Host", "a\"\n"), ("a-b", "1"), ("a.b", "2")], 1.5),
            latest("Load-1", &[], 2.0),
        ]))));
        let mut told = String::new();
        text::encode(&mut told, &registry).expect("text");
        let common = |metric: &str| {
            format!(
                "account=\"000000000000\",region=\"us-east-1\",namespace=\"AWS/My App\",metric=\"{metric}\",unit=\"Count\""
            )
        };
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "# HELP cloudwatch_AWS_My_App_Load_1 The average of the last point of this CloudWatch metric",
                "# TYPE cloudwatch_AWS_My_App_Load_1 gauge",
                &format!(
                    "cloudwatch_AWS_My_App_Load_1{{{},dimension_Host=\"a\\\"\\n\",dimension_a_b=\"1\",dimension_a_b_=\"2\"}} 1.5",
                    common("Load.1")
                ),
                &format!("cloudwatch_AWS_My_App_Load_1{{{}}} 2.0", common("Load-1")),
                "# EOF",
            ]
        );
    }
}
