//! The same samples for each server, in the form that it takes, each body compressed as clients of AWS do with large ones.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

/// Metrics in a call, and values of one: as many as the API allows.
pub(super) const CALL: usize = 1000;
pub(super) const VALUES: usize = 150;
/// Seconds from one sample of a series to its next.
pub(super) const STEP: i64 = 15;

/// What each series measures now: a gauge with two decimals that goes up and down a little.
pub(super) struct Gauges {
    hundredths: Vec<i64>,
    seed: u64,
    /// Of the samples to come, in seconds since 1970.
    second: i64,
}

impl Gauges {
    pub(super) fn new(series: usize, first: i64) -> Self {
        Self {
            hundredths: (0..series).map(|number| 5000 + 7 * number as i64).collect(),
            seed: 1,
            second: first,
        }
    }

    fn step(&mut self) {
        self.second += STEP;
        for value in &mut self.hundredths {
            // Knuth's generator for 64 bits.
            self.seed = self
                .seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *value += (self.seed >> 33) as i64 % 201 - 100;
        }
    }

    fn value(&self, series: usize) -> f64 {
        self.hundredths.get(series).copied().unwrap_or_default() as f64 / 100.0
    }

    /// One sample of each series: as a page that Prometheus scrapes and VictoriaMetrics imports, and as calls.
    pub(super) fn single(&mut self) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
        self.step();
        let mut page = String::new();
        let mut data = Vec::new();
        for series in 0..self.hundredths.len() {
            let (value, at) = (self.value(series), self.second);
            writeln!(page, "load{{host=\"{}\"}} {value} {at}000", host(series))?;
            let mut datum = datum(series, at);
            datum["Value"] = json!(value);
            data.push(datum);
        }
        Ok((gzip(page.as_bytes())?, calls(&data)?))
    }

    /// As many values of each series as a datum takes, as calls.
    pub(super) fn many(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut values = vec![Vec::new(); self.hundredths.len()];
        for _ in 0..VALUES {
            self.step();
            for (series, values) in values.iter_mut().enumerate() {
                values.push(self.value(series));
            }
        }
        let data: Vec<Value> = values
            .into_iter()
            .enumerate()
            .map(|(series, values)| {
                let mut datum = datum(series, self.second);
                datum["Values"] = json!(values);
                datum
            })
            .collect();
        calls(&data)
    }
}

pub(super) fn host(series: usize) -> String {
    format!("host-{series:05}")
}

fn datum(series: usize, second: i64) -> Value {
    json!({
        "MetricName": "load",
        "Dimensions": [{"Name": "host", "Value": host(series)}],
        "Timestamp": second,
        "StorageResolution": 1,
    })
}

fn calls(data: &[Value]) -> Result<Vec<Vec<u8>>> {
    let body = |data| {
        gzip(
            json!({"Namespace": "Perf", "MetricData": data})
                .to_string()
                .as_bytes(),
        )
    };
    data.chunks(CALL).map(body).collect()
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
