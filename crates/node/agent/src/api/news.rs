//! News of tasks as SubmitTaskStateChange says them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use roadstead_acs::RoleCredentials;
use roadstead_api_ecs::{
    AttachmentStateChange, ContainerStateChange, Failure, GetTaskProtectionRequest,
    GetTaskProtectionResponse, ListTagsForResourceRequest, ListTagsForResourceResponse, NetworkBinding,
    ProtectedTask, SubmitTaskStateChangeRequest, SubmitTaskStateChangeResponse, TransportProtocol,
    UpdateTaskProtectionRequest, UpdateTaskProtectionResponse,
};
use roadstead_api_logs::{CreateLogGroupRequest, CreateLogStreamRequest, InputLogEvent, PutLogEventsRequest};
use roadstead_api_secretsmanager::{GetSecretValueRequest, GetSecretValueResponse};
use roadstead_api_ssm::{GetParametersRequest, GetParametersResult, MODEL as PARAMETERS};

use super::client::{CallError, Client};
use crate::engine::report::clip;
use crate::engine::spec::{SecretRef, SecretSource};
use crate::engine::state::{Binding, Change, ContainerChange};
use crate::upstream::{LogCall, News, Protection, Upstream, UpstreamError};

#[async_trait]
impl Upstream for Client {
    async fn submit(&self, cluster: &str, task_arn: &str, news: &News) -> Result<(), UpstreamError> {
        let request = request(cluster, task_arn, news);
        let answer: SubmitTaskStateChangeResponse = self.call("SubmitTaskStateChange", request).await?;
        tracing::debug!(task = task_arn, acknowledgment = answer.acknowledgment, "told");
        Ok(())
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, UpstreamError> {
        let request = ListTagsForResourceRequest {
            resource_arn: arn.to_owned(),
        };
        let answer: ListTagsForResourceResponse = self.call("ListTagsForResource", request).await?;
        let tags = answer.tags.unwrap_or_default();
        Ok(tags
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
            .collect())
    }

    async fn logs(
        &self,
        keys: Option<&RoleCredentials>,
        group: &str,
        call: &LogCall,
    ) -> Result<(), CallError> {
        let client = keys.map_or_else(|| self.clone(), |keys| self.acting_as(keys));
        let log_group_name = group.to_owned();
        match call.clone() {
            LogCall::CreateGroup => {
                let request = CreateLogGroupRequest {
                    log_group_name,
                    ..Default::default()
                };
                client.tell_logs("CreateLogGroup", request).await
            }
            LogCall::CreateStream(log_stream_name) => {
                let request = CreateLogStreamRequest {
                    log_group_name,
                    log_stream_name,
                };
                client.tell_logs("CreateLogStream", request).await
            }
            LogCall::Put(log_stream_name, events) => {
                let event = |(timestamp, message)| InputLogEvent { message, timestamp };
                let request = PutLogEventsRequest {
                    log_events: events.into_iter().map(event).collect(),
                    log_group_name,
                    log_stream_name,
                    entity: None,
                    sequence_token: None,
                };
                client.tell_logs("PutLogEvents", request).await
            }
        }
    }

    async fn protection(
        &self,
        keys: &RoleCredentials,
        cluster: &str,
        task_arn: &str,
        protection: Protection,
    ) -> Result<Result<ProtectedTask, Failure>, CallError> {
        let client = self.acting_as(keys);
        let (cluster, task) = (cluster.to_owned(), task_arn.to_owned());
        let (operation, protected, failures) = match protection {
            Protection::Get => {
                let operation = "GetTaskProtection";
                let request = GetTaskProtectionRequest {
                    cluster,
                    tasks: Some(vec![task]),
                };
                let answer: GetTaskProtectionResponse = client.call(operation, request).await?;
                (operation, answer.protected_tasks, answer.failures)
            }
            Protection::Update { enabled, minutes } => {
                let operation = "UpdateTaskProtection";
                let request = UpdateTaskProtectionRequest {
                    cluster,
                    tasks: vec![task],
                    protection_enabled: enabled,
                    expires_in_minutes: minutes,
                };
                let answer: UpdateTaskProtectionResponse = client.call(operation, request).await?;
                (operation, answer.protected_tasks, answer.failures)
            }
        };
        let one = (
            protected.unwrap_or_default().into_iter().next(),
            failures.unwrap_or_default().into_iter().next(),
        );
        match one {
            (_, Some(failure)) => Ok(Err(failure)),
            (Some(protected), None) => Ok(Ok(protected)),
            (None, None) => Err(CallError::Transport {
                operation,
                problem: "the answer says nothing of the task".to_owned(),
            }),
        }
    }

    async fn secret(&self, keys: &RoleCredentials, secret: &SecretRef) -> Result<Option<String>, CallError> {
        let client = self.acting_as(keys).in_region(&secret.region);
        match &secret.source {
            SecretSource::Secret {
                arn,
                json_key: _,
                version_stage,
                version_id,
            } => {
                let request = GetSecretValueRequest {
                    secret_id: arn.clone(),
                    version_id: version_id.clone(),
                    version_stage: version_stage.clone(),
                };
                let answer: GetSecretValueResponse = client.call_secrets("GetSecretValue", request).await?;
                Ok(answer.secret_string)
            }
            SecretSource::Parameter(parameter) => {
                // The plural: what an execution role is told to allow.
                let request = GetParametersRequest {
                    names: vec![parameter.clone()],
                    with_decryption: Some(true),
                };
                let answer: GetParametersResult =
                    client.call_of(&PARAMETERS, "GetParameters", request).await?;
                let found = answer.parameters.unwrap_or_default();
                Ok(found.into_iter().next().and_then(|found| found.value))
            }
        }
    }

    fn region(&self) -> &str {
        Client::region(self)
    }
}

impl From<CallError> for UpstreamError {
    fn from(error: CallError) -> Self {
        if error.is_transient() {
            return Self::Later(error.to_string());
        }
        match error {
            // Credentials may be put right while the node waits; what is refused for itself stays refused.
            CallError::Api { ref code, .. }
                if !matches!(
                    code.as_str(),
                    "InvalidParameterException"
                        | "ClientException"
                        | "ClusterNotFoundException"
                        | "NotImplemented"
                ) =>
            {
                Self::Later(error.to_string())
            }
            CallError::Api { code, message, .. } => Self::Refused { code, message },
            CallError::Transport { .. } => Self::Later(error.to_string()),
        }
    }
}

fn request(cluster: &str, task_arn: &str, news: &News) -> SubmitTaskStateChangeRequest {
    let base = SubmitTaskStateChangeRequest {
        cluster: Some(cluster.to_owned()),
        task: Some(task_arn.to_owned()),
        ..SubmitTaskStateChangeRequest::default()
    };
    match news {
        News::Task(Change {
            number: _,
            status,
            reason,
            containers,
            pull_started_at,
            pull_stopped_at,
            execution_stopped_at,
            not_before: _,
        }) => SubmitTaskStateChangeRequest {
            status: Some(status.upstream().to_owned()),
            reason: Some(reason.clone().unwrap_or_default()),
            containers: (!containers.is_empty()).then(|| containers.iter().map(container).collect()),
            pull_started_at: *pull_started_at,
            pull_stopped_at: *pull_stopped_at,
            execution_stopped_at: *execution_stopped_at,
            ..base
        },
        News::Attachments(attachments) => SubmitTaskStateChangeRequest {
            attachments: Some(
                attachments
                    .iter()
                    .map(|attachment| AttachmentStateChange {
                        attachment_arn: attachment.attachment_arn.clone(),
                        status: attachment.status.to_owned(),
                    })
                    .collect(),
            ),
            ..base
        },
        News::Unrecognised(reason) => SubmitTaskStateChangeRequest {
            status: Some("STOPPED".to_owned()),
            // The vendor's agent spells it so, and control planes look for it.
            reason: Some(clip(&format!("UnrecogniedTaskError: {reason}"))),
            ..base
        },
    }
}

fn container(change: &ContainerChange) -> ContainerStateChange {
    let ContainerChange {
        name,
        runtime_id,
        status,
        exit_code,
        reason,
        image_digest,
        bindings,
    } = change;
    let bindings: Vec<NetworkBinding> = bindings.iter().map(binding).collect();
    ContainerStateChange {
        container_name: Some(name.clone()),
        runtime_id: runtime_id.clone(),
        status: Some(status.upstream().to_owned()),
        exit_code: *exit_code,
        reason: reason.clone(),
        image_digest: image_digest.clone(),
        network_bindings: (!bindings.is_empty()).then_some(bindings),
    }
}

fn binding(binding: &Binding) -> NetworkBinding {
    let base = NetworkBinding {
        bind_ip: Some("0.0.0.0".to_owned()),
        protocol: TransportProtocol::parse(&binding.protocol),
        ..NetworkBinding::default()
    };
    match binding.ranges() {
        Some((container, host)) => NetworkBinding {
            container_port_range: Some(container),
            host_port_range: Some(host),
            ..base
        },
        None => NetworkBinding {
            container_port: Some(i32::from(binding.container_port)),
            host_port: Some(i32::from(binding.host_port)),
            ..base
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::state::Status;
    use roadstead_base::Timestamp;

    #[test]
    fn a_stop_is_told_with_codes_reasons_and_ports() {
        let change = Change {
            status: Status::Stopped,
            execution_stopped_at: Some(Timestamp(5)),
            containers: vec![ContainerChange {
                name: "web".into(),
                runtime_id: Some("r".into()),
                status: Status::Stopped,
                exit_code: Some(137),
                bindings: vec![
                    Binding {
                        container_port: 80,
                        host_port: 8080,
                        protocol: "tcp".into(),
                        count: 1,
                    },
                    Binding {
                        container_port: 100,
                        host_port: 40_000,
                        protocol: "udp".into(),
                        count: 11,
                    },
                ],
                ..ContainerChange::default()
            }],
            ..Change::default()
        };
        let told = request("default", "arn", &News::Task(change));
        assert_eq!(
            (told.status.as_deref(), told.reason.as_deref()),
            (Some("STOPPED"), Some(""))
        );
        let web = &told.containers.expect("containers")[0];
        assert_eq!(
            (web.exit_code, web.status.as_deref()),
            (Some(137), Some("STOPPED"))
        );
        let bindings = web.network_bindings.as_ref().expect("bindings");
        assert_eq!(bindings[0].host_port, Some(8080));
        assert_eq!(
            (
                bindings[1].container_port,
                bindings[1].container_port_range.as_deref(),
                bindings[1].host_port_range.as_deref()
            ),
            (None, Some("100-110"), Some("40000-40010"))
        );
    }

    #[test]
    fn what_cannot_be_understood_is_spelt_as_the_vendor_does() {
        let told = request(
            "default",
            "arn",
            &News::Unrecognised("Error loading task - no".into()),
        );
        assert_eq!(
            told.reason.as_deref(),
            Some("UnrecogniedTaskError: Error loading task - no")
        );
        assert_eq!(told.containers, None);
        let long = request("default", "arn", &News::Unrecognised("x".repeat(5000)));
        assert_eq!(long.reason.map(|reason| reason.len()), Some(1024));
    }
}
