//! What a connection's end means: come back at once, in a while, register anew, or in an hour.

use std::time::Duration;

/// How a connection ended, or why it never began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Closed with this code; `None` when it just broke off.
    Closed(Option<u16>),
    /// Nothing was heard for too long.
    Silent,
    /// The agent's own decision: a connection does not last for ever.
    Aged,
    /// The handshake was refused with this error.
    Refused(String),
    /// No connection at all.
    Unreachable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    AtOnce,
    Backoff,
    /// The control plane does not know the instance: register it again, as new.
    Register,
    /// The instance was deregistered: it stays away for long.
    Rest,
}

/// Connections that break this soon do not count as such.
const SHORT: Duration = Duration::from_secs(1);
/// So many short ones in a row are taken up again at once.
const SHORT_IN_A_ROW: u32 = 3;

/// `lasted`: how long the connection was up; `short_ones`: how many before it ended as soon.
pub(crate) fn next(end: &End, lasted: Duration, short_ones: u32) -> Next {
    let patient = lasted < SHORT && short_ones >= SHORT_IN_A_ROW;
    match end {
        End::Closed(None | Some(1000 | 1001 | 1006 | 1011)) | End::Aged if !patient => Next::AtOnce,
        End::Refused(kind) => match kind.as_str() {
            "InactiveInstanceException" => Next::Rest,
            "InvalidInstanceException" | "InvalidClusterException" => Next::Register,
            _ => Next::Backoff,
        },
        End::Closed(_) | End::Silent | End::Aged | End::Unreachable => Next::Backoff,
    }
}

/// Whether the connection was too short to count.
pub(super) fn is_short(lasted: Duration) -> bool {
    lasted < SHORT
}

/// The error type in a refused handshake's body: `{"<Type>": "text"}`.
pub(super) fn refusal(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = body.as_object().and_then(|object| {
        let named = object.get("__type").and_then(|kind| kind.as_str());
        named
            .map(str::to_owned)
            .or_else(|| object.keys().find(|name| name.ends_with("Exception")).cloned())
    });
    kind.unwrap_or_else(|| "without a reason".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_lead_where_the_protocol_says() {
        let long = Duration::from_secs(60);
        for (end, lasted, short_ones, wanted) in [
            (End::Closed(Some(1000)), long, 0, Next::AtOnce),
            (End::Closed(Some(1001)), long, 9, Next::AtOnce),
            (End::Closed(Some(1006)), Duration::ZERO, 0, Next::AtOnce),
            (End::Closed(Some(1011)), long, 0, Next::AtOnce),
            (End::Closed(None), long, 0, Next::AtOnce),
            (End::Closed(None), Duration::ZERO, 3, Next::Backoff),
            (End::Closed(Some(1008)), long, 0, Next::Backoff),
            (End::Aged, long, 0, Next::AtOnce),
            (End::Silent, long, 0, Next::Backoff),
            (End::Unreachable, Duration::ZERO, 0, Next::Backoff),
            (
                End::Refused("InactiveInstanceException".into()),
                long,
                0,
                Next::Rest,
            ),
            (
                End::Refused("InvalidInstanceException".into()),
                long,
                0,
                Next::Register,
            ),
            (End::Refused("ServerException".into()), long, 0, Next::Backoff),
        ] {
            assert_eq!(next(&end, lasted, short_ones), wanted, "{end:?} after {lasted:?}");
        }
    }

    #[test]
    fn refusals_are_named_by_their_body() {
        for (body, wanted) in [
            (
                r#"{"InactiveInstanceException":"gone"}"#,
                "InactiveInstanceException",
            ),
            (r#"{"__type":"ServerException","message":"x"}"#, "ServerException"),
            ("", "without a reason"),
            ("[1]", "without a reason"),
        ] {
            assert_eq!(refusal(body.as_bytes()), wanted);
        }
    }
}
