//! What a task calls: a function, an activity, or an operation of a service, with the pattern of the call.

use serde::{Deserialize, Serialize};

/// How a task waits for what it called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// Until the call is answered.
    RequestResponse,
    /// `.sync`: until the job is done.
    Sync,
    /// `.sync:2`: as `.sync`, with the output as JSON.
    SyncAsJson,
    /// `.waitForTaskToken`: until somebody sends the token back.
    WaitForTaskToken,
}

/// What a task calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    /// A function by its ARN.
    Function {
        /// The ARN, with a qualifier perhaps.
        arn: String,
    },
    /// An activity, which workers poll.
    Activity {
        /// The ARN.
        arn: String,
    },
    /// `arn:aws:states:::lambda:invoke`, `arn:aws:states:::aws-sdk:ecs:runTask`
    Integration {
        /// As it was written.
        arn: String,
        /// `lambda`, `ecs`, or with the prefix `aws-sdk:` any service.
        service: String,
        /// The operation, as the ARN spells it.
        action: String,
        /// How the task waits.
        pattern: Pattern,
    },
}

impl Resource {
    /// Nothing if the ARN is none of these.
    pub(super) fn parse(arn: &str) -> Option<Resource> {
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(service), Some(region), Some(account), Some(rest)) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        if !partition.starts_with("aws") {
            return None;
        }
        let owned = arn.to_owned();
        match (service, rest.split_once(':')?) {
            ("lambda", ("function", name))
                if !region.is_empty() && !account.is_empty() && !name.is_empty() =>
            {
                Some(Resource::Function { arn: owned })
            }
            ("states", ("activity", name))
                if !region.is_empty() && !account.is_empty() && !name.is_empty() =>
            {
                Some(Resource::Activity { arn: owned })
            }
            ("states", (first, second)) => integration(owned, first, second),
            _ => None,
        }
    }

    /// The ARN, as it was written.
    pub fn arn(&self) -> &str {
        match self {
            Resource::Function { arn } | Resource::Activity { arn } | Resource::Integration { arn, .. } => {
                arn
            }
        }
    }
}

fn integration(arn: String, first: &str, second: &str) -> Option<Resource> {
    let (service, call) = match first {
        "aws-sdk" => {
            let (service, call) = second.split_once(':')?;
            (format!("aws-sdk:{service}"), call)
        }
        other => (other.to_owned(), second),
    };
    let (action, pattern) = match call.split_once('.') {
        None => (call, Pattern::RequestResponse),
        Some((action, "waitForTaskToken")) => (action, Pattern::WaitForTaskToken),
        // Calls of the SDK know no jobs.
        Some((action, "sync")) if first != "aws-sdk" => (action, Pattern::Sync),
        Some((action, "sync:2")) if first != "aws-sdk" => (action, Pattern::SyncAsJson),
        Some(_) => return None,
    };
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|one| one.is_ascii_alphanumeric() || "-_:".contains(one))
    };
    let fits = plain(&service) && plain(action) && !action.contains(':') && service != "aws-sdk:";
    fits.then(|| Resource::Integration {
        arn,
        service,
        action: action.to_owned(),
        pattern,
    })
}
