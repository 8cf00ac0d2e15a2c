//! An error as a client sees it: a code, a status, a message. Services map their own errors to this in one
//! place each; protocols write it in their own form.

use std::borrow::Cow;

use crate::value::Fields;

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Client,
    Server,
}

/// What a client is told when a call fails.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// As documented for the service: `ClusterNotFoundException`, `InvalidVpcID.NotFound`.
    pub code: Cow<'static, str>,
    /// HTTP status.
    pub status: u16,
    pub message: String,
    /// Further members of the error's shape.
    pub members: Fields,
}

impl ApiError {
    pub fn new(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            status,
            message: message.into(),
            members: Fields::new(),
        }
    }

    /// 400, the client's fault.
    pub fn client(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code, 400, message)
    }

    /// The operation is in the official model and not built here.
    pub fn not_implemented(service: &str, operation: &str) -> Self {
        Self::new(
            "NotImplemented",
            501,
            format!("The operation {operation} of {service} is not implemented by Roadstead."),
        )
    }

    /// Whether the service was only asked too much, or has too much at the moment.
    pub fn is_throttling(&self) -> bool {
        let codes = [
            "TooManyRequestsException",
            "OverLimit",
            "AWS.SimpleQueueService.OverLimit",
        ];
        self.status == 429 || self.code.contains("Throttl") || codes.contains(&self.code.as_ref())
    }

    /// Whether the same call may succeed later. An operation that is not there (501) does not come.
    pub fn is_transient(&self) -> bool {
        self.is_throttling() || (self.status >= 500 && self.status != 501)
    }

    pub fn fault(&self) -> Fault {
        if self.status >= 500 {
            Fault::Server
        } else {
            Fault::Client
        }
    }

    pub fn with_member(mut self, name: &'static str, value: crate::Value) -> Self {
        self.members.push((Cow::Borrowed(name), value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_is_told_from_what_will_not() {
        for (code, status, later) in [
            ("InternalFailure", 500, true),
            ("ServiceUnavailable", 503, true),
            ("NotImplemented", 501, false),
            ("TooManyRequestsException", 429, true),
            ("ThrottlingException", 400, true),
            ("OverLimit", 403, true),
            ("AccessDenied", 403, false),
            ("ResourceNotFoundException", 400, false),
        ] {
            assert_eq!(
                ApiError::new(code, status, "").is_transient(),
                later,
                "{code} {status}"
            );
        }
    }
}
