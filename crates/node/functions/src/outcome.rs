//! How an invocation ended, in the documented words.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

/// What an invocation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub ending: Ending,
    pub report: Report,
    /// The environment's log stream.
    pub log_stream: String,
    /// The last 4 KB of what this invocation logged, START, END and REPORT included, where it was asked for.
    pub log_tail: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What the handler returned.
    Returned(Bytes),
    Failed(Failure),
}

/// The function failed, not the platform: clients see `FunctionError` and this body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub why: Why,
    /// JSON with `errorMessage` and mostly `errorType`.
    pub body: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The runtime reported what the handler raised.
    Handler,
    /// The runtime reported, or ended, before it asked for an invocation.
    Init,
    TimedOut,
    /// The kernel ended it for memory.
    OutOfMemory,
    /// The runtime ended in the middle of an invocation.
    Exited,
    /// What was returned is larger than 6 MB.
    TooLarge,
}

impl Failure {
    /// What the runtime reported, as it reported it.
    pub fn handler(body: impl Into<Bytes>) -> Self {
        Self::of(Why::Handler, body.into())
    }

    /// What the runtime reported of its initialization.
    pub fn init(body: impl Into<Bytes>) -> Self {
        Self::of(Why::Init, body.into())
    }

    /// An image's program that could not be started, with the system's reason.
    pub fn invalid_entry_point(request_id: &str, reason: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: {reason}");
        let body = json!({"errorType": "Runtime.InvalidEntrypoint", "errorMessage": message});
        Self::of(Why::Init, body.to_string().into())
    }

    pub fn timed_out(request_id: &str, timeout: Duration) -> Self {
        let seconds = timeout.as_secs_f64();
        let message = format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
        let body = json!({"errorType": "Sandbox.Timedout", "errorMessage": message});
        Self::of(Why::TimedOut, body.to_string().into())
    }

    pub fn out_of_memory(request_id: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: Runtime exited with error: signal: killed");
        let body = json!({"errorType": "Runtime.OutOfMemory", "errorMessage": message});
        Self::of(Why::OutOfMemory, body.to_string().into())
    }

    /// `how` is `exit status 1` or `signal: segmentation fault`; none: it ended well, without an answer.
    pub fn exited(request_id: &str, how: Option<&str>) -> Self {
        let message = match how {
            Some(how) => format!("RequestId: {request_id} Error: Runtime exited with error: {how}"),
            None => format!("RequestId: {request_id} Error: Runtime exited without providing a reason"),
        };
        let body = json!({"errorType": "Runtime.ExitError", "errorMessage": message});
        Self::of(Why::Exited, body.to_string().into())
    }

    pub fn too_large(bytes: usize, most: usize) -> Self {
        let message = format!(
            "Response payload size ({bytes} bytes) exceeded maximum allowed payload size ({most} bytes)."
        );
        let body = json!({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message});
        Self::of(Why::TooLarge, body.to_string().into())
    }

    fn of(why: Why, body: Bytes) -> Self {
        Self { why, body }
    }
}

/// What an invocation used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// From the handing over of the event to the answer.
    pub duration: Duration,
    /// Of the environment's initialization, if this invocation waited for it.
    pub init: Option<Duration>,
}

impl Report {
    /// In whole milliseconds, begun ones counted; initialization is billed, too.
    pub fn billed_ms(&self) -> u64 {
        let whole = self.duration + self.init.unwrap_or_default();
        u64::try_from(whole.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begun_milliseconds_are_billed() {
        for (micros, init, billed) in [
            (0, None, 0),
            (1, None, 1),
            (1_000, None, 1),
            (1_001, Some(500), 2),
            (1_001, Some(1_000), 3),
        ] {
            let report = Report {
                duration: Duration::from_micros(micros),
                init: init.map(Duration::from_micros),
            };
            assert_eq!(report.billed_ms(), billed, "{report:?}");
        }
    }

    #[test]
    fn failures_say_the_documented_words() {
        let timed_out = Failure::timed_out("r", Duration::from_secs(3));
        for (failure, words) in [
            (timed_out, "RequestId: r Error: Task timed out after 3.00 seconds"),
            (
                Failure::out_of_memory("r"),
                "RequestId: r Error: Runtime exited with error: signal: killed",
            ),
            (
                Failure::exited("r", Some("exit status 1")),
                "RequestId: r Error: Runtime exited with error: exit status 1",
            ),
            (
                Failure::invalid_entry_point("r", "exec format error"),
                "RequestId: r Error: exec format error",
            ),
            (
                Failure::exited("r", None),
                "RequestId: r Error: Runtime exited without providing a reason",
            ),
        ] {
            let body: serde_json::Value = serde_json::from_slice(&failure.body).expect("JSON");
            assert_eq!(body["errorMessage"], words);
        }
    }
}
