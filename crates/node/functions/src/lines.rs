//! The platform's own lines in a function's log, as documented in "Sending Lambda function logs to CloudWatch Logs".

use std::time::Duration;

use roadstead_base::Timestamp;

use crate::outcome::{Failure, Report, Why};
use crate::spec::Spec;

/// `2026/01/31/[$LATEST]<32 hexadecimal digits>`: the stream of an environment that began then.
pub fn stream(began: Timestamp, version: &str, environment: &str) -> String {
    let day = began
        .to_rfc3339()
        .chars()
        .take(10)
        .collect::<String>()
        .replace('-', "/");
    format!("{day}/[{version}]{environment}")
}

pub fn start(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

pub fn end(request_id: &str) -> String {
    format!("END RequestId: {request_id}")
}

/// What the log says of an invocation whose time was over, in other words than the answer does.
pub fn timed_out(at: Timestamp, request_id: &str, timeout: Duration) -> String {
    let seconds = timeout.as_secs_f64();
    format!(
        "{} {request_id} Task timed out after {seconds:.2} seconds",
        at.to_rfc3339()
    )
}

/// `max_memory_mb`: the most that the environment held so far.
pub fn report(
    request_id: &str,
    spec: &Spec,
    report: &Report,
    max_memory_mb: u32,
    failure: Option<&Failure>,
) -> String {
    let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let mut line = format!(
        "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB",
        millis(report.duration),
        report.billed_ms(),
        spec.memory_mb,
        max_memory_mb,
    );
    if let Some(init) = report.init {
        line.push_str(&format!("\tInit Duration: {:.2} ms", millis(init)));
    }
    match failure.map(|failure| failure.why) {
        Some(Why::TimedOut) => line.push_str("\tStatus: timeout"),
        Some(Why::OutOfMemory) => line.push_str("\tStatus: error\tError Type: Runtime.OutOfMemory"),
        Some(Why::Exited) => line.push_str("\tStatus: error\tError Type: Runtime.ExitError"),
        Some(Why::Handler | Why::Init | Why::TooLarge) | None => {}
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_says_when_the_time_was_over() {
        assert_eq!(
            timed_out(Timestamp(1_700_000_000_000), "r", Duration::from_secs(3)),
            "2023-11-14T22:13:20.000Z r Task timed out after 3.00 seconds"
        );
    }

    #[test]
    fn a_stream_is_named_by_day_version_and_environment() {
        assert_eq!(
            stream(Timestamp(1_700_000_000_000), "$LATEST", "0f"),
            "2023/11/14/[$LATEST]0f"
        );
    }
}
