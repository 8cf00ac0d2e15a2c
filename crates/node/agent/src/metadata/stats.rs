//! What a container uses, in the form of Docker's `stats`, which the vendor's agent passes on: only numbers that were
//! measured. Sources: the developer guide, "Amazon ECS task metadata endpoint version 4"; Docker Engine API,
//! ContainerStats.

use roadstead_runtime::{BlockStats, CpuStats, InterfaceStats, MemoryStats, PidsStats, Stats as Group};
use serde_json::{Map, Value, json};

use crate::driver::Stats;
use crate::engine::spec::{Container, Task};
use crate::telemetry::Sample;

/// `before` is an earlier sample, if there is one. `rates` are of version 4 alone.
pub(super) fn stats(
    task: &Task,
    spec: &Container,
    now: &Sample,
    before: Option<&Sample>,
    rates: bool,
) -> Value {
    let Stats { group, networks } = &now.stats;
    let Group {
        cpu: _,
        memory,
        pids,
        block,
    } = group;
    let mut all = Map::new();
    all.insert("read".to_owned(), json!(now.at.to_rfc3339()));
    // Docker's word for never.
    let preread = before.map_or_else(
        || "0001-01-01T00:00:00Z".to_owned(),
        |before| before.at.to_rfc3339(),
    );
    all.insert("preread".to_owned(), json!(preread));
    let PidsStats { current, limit } = pids;
    all.insert(
        "pids_stats".to_owned(),
        known([("current", *current), ("limit", *limit)]),
    );
    all.insert("blkio_stats".to_owned(), devices(block));
    all.insert("num_procs".to_owned(), json!(0));
    all.insert("storage_stats".to_owned(), json!({}));
    all.insert("cpu_stats".to_owned(), processor(now));
    all.insert("precpu_stats".to_owned(), before.map_or_else(nothing, processor));
    let limit = [spec.memory, task.memory]
        .into_iter()
        .find(|mib| *mib > 0)
        .map(|mib| mib << 20);
    all.insert("memory_stats".to_owned(), memory_of(memory, limit));
    all.insert("name".to_owned(), json!(format!("/{}", task.docker_name(spec))));
    all.insert("id".to_owned(), json!(spec.runtime_id));
    if !networks.is_empty() {
        let each = networks
            .iter()
            .map(|(name, stats)| (name.clone(), interface(stats)));
        all.insert("networks".to_owned(), Value::Object(each.collect()));
        if let Some(rates) = before.filter(|_| rates).and_then(|before| rates_of(before, now)) {
            all.insert("network_rate_stats".to_owned(), rates);
        }
    }
    Value::Object(all)
}

fn known<const N: usize>(members: [(&str, Option<u64>); N]) -> Value {
    let known = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(known.collect())
}

fn nothing() -> Value {
    json!({
        "cpu_usage": { "total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
        "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
    })
}

fn processor(sample: &Sample) -> Value {
    let CpuStats {
        total_nanos,
        user_nanos,
        system_nanos,
        periods,
        throttled_periods,
        throttled_nanos,
    } = sample.stats.group.cpu;
    let mut all = known([("system_cpu_usage", sample.system_cpu)]);
    all["cpu_usage"] = known([
        ("total_usage", total_nanos),
        ("usage_in_kernelmode", system_nanos),
        ("usage_in_usermode", user_nanos),
    ]);
    all["online_cpus"] = json!(std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    // Without a quota there are no periods.
    all["throttling_data"] = known([
        ("periods", periods.or(Some(0))),
        ("throttled_periods", throttled_periods.or(Some(0))),
        ("throttled_time", throttled_nanos.or(Some(0))),
    ]);
    all
}

/// Docker shows the machine's memory where there is no limit; here there is no number then.
fn memory_of(memory: &MemoryStats, of_definition: Option<u64>) -> Value {
    let MemoryStats {
        usage,
        limit,
        max_usage,
        failures,
        swap,
        anonymous,
        cache,
        inactive_file,
        oom_kills: _,
    } = *memory;
    let mut all = known([
        ("usage", usage),
        ("max_usage", max_usage),
        ("failcnt", failures),
        ("limit", limit.or(of_definition)),
    ]);
    // By their names in either version of cgroups: readers look for one or for the other.
    all["stats"] = known([
        ("cache", cache),
        ("file", cache),
        ("rss", anonymous),
        ("anon", anonymous),
        ("swap", swap),
        ("inactive_file", inactive_file),
        ("total_inactive_file", inactive_file),
    ]);
    all
}

fn devices(block: &[BlockStats]) -> Value {
    let entries = |value: fn(&BlockStats) -> (u64, u64)| {
        let mut list = Vec::new();
        for device in block {
            let (read, write) = value(device);
            for (op, value) in [("read", read), ("write", write)] {
                list.push(json!({ "major": device.major, "minor": device.minor, "op": op, "value": value }));
            }
        }
        list
    };
    json!({
        "io_service_bytes_recursive": entries(|device| (device.read_bytes, device.write_bytes)),
        "io_serviced_recursive": entries(|device| (device.reads, device.writes)),
        "io_queue_recursive": [], "io_service_time_recursive": [], "io_wait_time_recursive": [],
        "io_merged_recursive": [], "io_time_recursive": [], "sectors_recursive": [],
    })
}

fn interface(stats: &InterfaceStats) -> Value {
    let InterfaceStats {
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
    } = stats;
    json!({
        "rx_bytes": rx_bytes, "rx_packets": rx_packets, "rx_errors": rx_errors, "rx_dropped": rx_dropped,
        "tx_bytes": tx_bytes, "tx_packets": tx_packets, "tx_errors": tx_errors, "tx_dropped": tx_dropped,
    })
}

fn rates_of(before: &Sample, now: &Sample) -> Option<Value> {
    let seconds = now
        .instant
        .saturating_duration_since(before.instant)
        .as_secs_f64();
    let sum = |sample: &Sample| {
        let each = sample.stats.networks.values();
        each.fold((0, 0), |(rx, tx), one| (rx + one.rx_bytes, tx + one.tx_bytes))
    };
    let ((rx_then, tx_then), (rx, tx)) = (sum(before), sum(now));
    (seconds > 0.0).then(|| {
        let rate = |then: u64, now: u64| now.saturating_sub(then) as f64 / seconds;
        json!({ "rx_bytes_per_sec": rate(rx_then, rx), "tx_bytes_per_sec": rate(tx_then, tx) })
    })
}
