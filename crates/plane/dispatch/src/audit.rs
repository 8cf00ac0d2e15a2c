//! A record of every call, in the form of CloudTrail's records as far as it is known here: one line of JSON each, in
//! a file of bounded size with one predecessor. What was asked and answered is not in it, since secrets would be.
//! Source: "CloudTrail record contents" in the CloudTrail user guide.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use roadstead_base::{Caller, Ctx, Timestamp, random_uuid};
use roadstead_protocol::{ApiError, Operation, ServiceModel};
use serde_json::{Value, json};

/// Bytes of the file before a new one begins.
const MOST: u64 = 32 * 1024 * 1024;
/// Characters of an error's message.
const MAX_MESSAGE: usize = 1024;

/// Who is told of every call, after it was answered.
pub trait Observer: Send + Sync + 'static {
    /// Told of every call; what was asked and answered is left out.
    fn called(&self, _record: &Value) {}

    /// Whether this one is wanted whole. Asked before the call is made, so it must cost next to nothing.
    fn wants(&self, _coming: Coming<'_>) -> bool {
        false
    }

    /// Told of each call it wanted, with what was asked and answered but for secrets.
    fn called_whole(&self, _ctx: &Ctx, _record: Value) {}
}

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Coming<'a> {
    pub ctx: &'a Ctx,
    pub model: &'static ServiceModel,
    pub operation: &'static Operation,
}

impl Coming<'_> {
    /// `ecs.amazonaws.com`
    pub fn event_source(&self) -> String {
        format!("{}.amazonaws.com", self.model.signing_name)
    }

    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        reads(self.operation.name)
    }

    /// Whether it manages resources, and does not work with what they hold.
    pub fn manages(&self) -> bool {
        manages(self.model.name, self.operation.name)
    }
}

/// A call and how it ended.
pub(crate) struct Called<'a> {
    pub(crate) model: &'static ServiceModel,
    pub(crate) operation: &'static Operation,
    pub(crate) ctx: &'a Ctx,
    pub(crate) error: Option<&'a ApiError>,
    pub(crate) at: Timestamp,
}

/// The record without what was asked and answered.
pub(crate) fn record(called: &Called<'_>) -> Value {
    let Called {
        model,
        operation,
        ctx,
        error,
        at,
    } = called;
    let source = match &ctx.caller {
        Caller::Service(name) => (*name).to_owned(),
        _ => match (ctx.origin.address, ctx.origin.via) {
            (Some(address), _) => address.to_string(),
            (None, Some(service)) => service.to_owned(),
            (None, None) => "AWS Internal".to_owned(),
        },
    };
    let agent = match ctx.origin.user_agent.as_str() {
        "" => source.clone(),
        agent => agent.to_owned(),
    };
    let manages = manages(model.name, operation.name);
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": identity(ctx),
        "eventTime": seconds(*at),
        "eventSource": format!("{}.amazonaws.com", model.signing_name),
        "eventName": operation.name,
        "awsRegion": ctx.region.as_str(),
        "sourceIPAddress": source,
        "userAgent": agent,
        "requestParameters": null,
        "responseElements": null,
        "requestID": ctx.request_id,
        "eventID": random_uuid(),
        "readOnly": reads(operation.name),
        "eventType": "AwsApiCall",
        "managementEvent": manages,
        "recipientAccountId": ctx.account.as_str(),
        "eventCategory": if manages { "Management" } else { "Data" },
    });
    if let Some(error) = error {
        let message: String = error.message.chars().take(MAX_MESSAGE).collect();
        record["errorCode"] = json!(error.code);
        record["errorMessage"] = json!(message);
    }
    record
}

/// CloudTrail's times are whole seconds.
fn seconds(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

fn reads(operation: &str) -> bool {
    [
        "AssumeRole",
        "Describe",
        "Get",
        "List",
        "Simulate",
        "Discover",
        "Search",
        "Filter",
        "Lookup",
        "Test",
    ]
    .iter()
    .any(|verb| operation.starts_with(verb))
}

/// What works with the contents of resources; everything else manages them. Source: the page of each service on
/// logging its calls with CloudTrail.
const DATA: &[(&str, &[&str])] = &[
    (
        "cloudwatch",
        &[
            "GetMetricData",
            "GetMetricStatistics",
            "GetMetricWidgetImage",
            "ListMetrics",
            "PutMetricData",
        ],
    ),
    ("events", &["PutEvents"]),
    ("lambda", &["Invoke", "InvokeAsync", "InvokeWithResponseStream"]),
    ("logs", &["FilterLogEvents", "GetLogEvents", "PutLogEvents"]),
    ("sns", &["Publish", "PublishBatch"]),
    (
        "sqs",
        &[
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        ],
    ),
];

fn manages(service: &str, operation: &str) -> bool {
    !DATA
        .iter()
        .any(|(name, operations)| *name == service && operations.contains(&operation))
}

fn identity(ctx: &Ctx) -> Value {
    let account = ctx.account.as_str();
    let arn = ctx.caller.arn(&ctx.account);
    let key = ctx.origin.access_key.as_str();
    let mut identity = match &ctx.caller {
        Caller::Root => json!({
            "type": "Root", "principalId": account, "arn": arn, "accountId": account, "accessKeyId": key,
        }),
        Caller::User(user) => json!({
            "type": "IAMUser", "principalId": user.id, "arn": arn, "accountId": account, "accessKeyId": key,
            "userName": user.name,
        }),
        Caller::Role(session) => json!({
            "type": "AssumedRole", "principalId": session.user_id(), "arn": arn, "accountId": account,
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": session.role_id, "arn": session.role_arn, "accountId": account,
                    "userName": session.role_arn.rsplit('/').next(),
                },
                "attributes": {"creationDate": seconds(session.issued), "mfaAuthenticated": "false"},
            },
        }),
        Caller::Service(name) => json!({"type": "AWSService", "invokedBy": name}),
        // A part of the platform, with a key of the platform's.
        Caller::Node => json!({"type": "AWSService", "invokedBy": "ecs.amazonaws.com", "accessKeyId": key}),
    };
    if let Some(via) = ctx.origin.via {
        identity["invokedBy"] = json!(via);
    }
    identity
}

/// The records in a file.
pub struct AuditLog {
    path: PathBuf,
    most: u64,
    open: Mutex<Open>,
}

struct Open {
    file: File,
    size: u64,
}

impl AuditLog {
    /// Goes on with the file if there is one.
    ///
    /// # Errors
    /// It cannot be opened for appending.
    pub fn open(path: impl Into<PathBuf>) -> std::io::Result<Self> {
        Self::bounded(path.into(), MOST)
    }

    fn bounded(path: PathBuf, most: u64) -> std::io::Result<Self> {
        let open = Mutex::new(appending(&path)?);
        Ok(Self { path, most, open })
    }

    /// What was in the file before this one.
    fn earlier(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".1");
        name.into()
    }

    fn write(&self, line: &[u8]) -> std::io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let size = line.len() as u64;
        if open.size > 0 && open.size + size > self.most {
            std::fs::rename(&self.path, self.earlier())?;
            *open = appending(&self.path)?;
        }
        // One write each, so that a line is whole or not there.
        open.file.write_all(line)?;
        open.size += size;
        Ok(())
    }
}

fn appending(path: &Path) -> std::io::Result<Open> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let size = file.metadata()?.len();
    Ok(Open { file, size })
}

impl Observer for AuditLog {
    fn called(&self, record: &Value) {
        let mut line = record.to_string().into_bytes();
        line.push(b'\n');
        if let Err(error) = self.write(&line) {
            tracing::error!(%error, path = %self.path.display(), "a call could not be recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_one_predecessor_and_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::bounded(path.clone(), 100).expect("opens");
        for number in 0..30 {
            log.called(&json!({"number": number}));
        }
        let read = |path: &Path| std::fs::read_to_string(path).expect("a file");
        let (now, before) = (read(&path), read(&log.earlier()));
        assert!(now.len() <= 100 && before.len() <= 100);
        assert!(now.ends_with("{\"number\":29}\n"), "{now}");
        let first: Value = serde_json::from_str(now.lines().next().expect("a line")).expect("JSON");
        let last: Value = serde_json::from_str(before.lines().last().expect("a line")).expect("JSON");
        assert_eq!(
            first["number"].as_u64(),
            last["number"].as_u64().map(|number| number + 1)
        );
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
        // A later process goes on.
        let again = AuditLog::bounded(path.clone(), 100).expect("opens");
        again.called(&json!({"number": 30}));
        assert!(read(&path).ends_with("{\"number\":30}\n"));
    }
}
