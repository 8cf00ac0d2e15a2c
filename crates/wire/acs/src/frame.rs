//! One JSON text frame: `{"type": …, "message": …}`, both ways.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::telemetry::{Acknowledged, PublishHealth, PublishInstanceStatus, PublishMetrics};
use crate::{
    Ack, AttachTaskNetworkInterfaces, Close, CredentialsAck, Error, Heartbeat, HeartbeatAck,
    IamRoleCredentials, Nack, NetworkMap, Payload, TaskManifest, TaskStopVerification,
    TaskStopVerificationAck,
};

/// The envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub message: Value,
}

/// A frame that cannot be read. A receiver logs it and keeps the connection.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is not JSON of the form {{type, message}}")]
    Envelope(#[source] serde_json::Error),
    #[error("a {kind} cannot be read")]
    Message {
        kind: String,
        /// For the answer to a payload that cannot be decoded.
        message: Box<Value>,
        #[source]
        source: serde_json::Error,
    },
}

macro_rules! messages {
    ($(#[$doc:meta])* $name:ident { $($variant:ident($type:ty) $kind:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $($variant(Box<$type>),)*
            /// A type this side does not know.
            Unknown(String),
        }

        impl $name {
            /// # Errors
            /// [`FrameError`]: not a frame, or a known type with other members than it has.
            pub fn from_text(text: &str) -> Result<Self, FrameError> {
                let frame: Frame = serde_json::from_str(text).map_err(FrameError::Envelope)?;
                match frame.kind.as_str() {
                    $($kind => read(&frame).map(|message| Self::$variant(Box::new(message))),)*
                    _ => Ok(Self::Unknown(frame.kind)),
                }
            }

            /// The text of the frame; an unknown message is an empty one of its type.
            pub fn to_text(&self) -> String {
                match self {
                    $(Self::$variant(message) => write($kind, &**message),)*
                    Self::Unknown(kind) => write(kind, &serde_json::Map::new()),
                }
            }

            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                    Self::Unknown(kind) => kind,
                }
            }
        }
    };
}

messages! {
    /// What the control plane says.
    ToAgent {
        Heartbeat(Heartbeat) "HeartbeatMessage",
        Payload(Payload) "PayloadMessage",
        AttachTaskNetworkInterfaces(AttachTaskNetworkInterfaces) "AttachTaskNetworkInterfacesMessage",
        TaskManifest(TaskManifest) "TaskManifestMessage",
        TaskStopVerificationAck(TaskStopVerificationAck) "TaskStopVerificationAck",
        Credentials(IamRoleCredentials) "IAMRoleCredentialsMessage",
        NetworkMap(NetworkMap) "RoadsteadNetworkMapMessage",
        Close(Close) "CloseMessage",
        Error(Error) "ErrorMessage",
    }
}

messages! {
    /// What an agent says.
    FromAgent {
        Ack(Ack) "AckRequest",
        Nack(Nack) "NackRequest",
        HeartbeatAck(HeartbeatAck) "HeartbeatAckRequest",
        CredentialsAck(CredentialsAck) "IAMRoleCredentialsAckRequest",
        TaskStopVerification(TaskStopVerification) "TaskStopVerificationMessage",
    }
}

messages! {
    /// What an agent says over the telemetry channel, below its signature.
    FromTelemetry {
        Metrics(PublishMetrics) "PublishMetricsRequest",
        Health(PublishHealth) "PublishHealthRequest",
        InstanceStatus(PublishInstanceStatus) "PublishInstanceStatusRequest",
    }
}

messages! {
    /// What the control plane says over the telemetry channel.
    ToTelemetry {
        Heartbeat(Heartbeat) "HeartbeatMessage",
        AckMetrics(Acknowledged) "AckPublishMetric",
        AckHealth(Acknowledged) "AckPublishHealth",
        AckInstanceStatus(Acknowledged) "AckPublishInstanceStatus",
        Error(Error) "ErrorMessage",
    }
}

fn read<T: DeserializeOwned>(frame: &Frame) -> Result<T, FrameError> {
    T::deserialize(&frame.message).map_err(|source| FrameError::Message {
        kind: frame.kind.clone(),
        message: Box::new(frame.message.clone()),
        source,
    })
}

fn write(kind: &str, message: &impl Serialize) -> String {
    let message = serde_json::to_value(message).unwrap_or_default();
    serde_json::json!({ "type": kind, "message": message }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_round_trip_and_unknown_ones_are_named() {
        let beat = ToAgent::Heartbeat(Box::new(Heartbeat {
            message_id: "m".into(),
            healthy: true,
        }));
        let shown: serde_json::Value = serde_json::from_str(&beat.to_text()).expect("JSON");
        let expected =
            serde_json::json!({"type": "HeartbeatMessage", "message": {"messageId": "m", "healthy": true}});
        assert_eq!(shown, expected);
        assert_eq!(ToAgent::from_text(&beat.to_text()).expect("reads"), beat);
        let odd = ToAgent::from_text(r#"{"type":"Nonsense","message":{"a":1}}"#).expect("reads");
        assert_eq!(odd, ToAgent::Unknown("Nonsense".into()));
    }

    #[test]
    fn broken_frames_are_told_apart() {
        assert!(matches!(ToAgent::from_text("{"), Err(FrameError::Envelope(_))));
        let bad = ToAgent::from_text(r#"{"type":"PayloadMessage","message":{"messageId":7}}"#);
        assert!(matches!(bad, Err(FrameError::Message { kind, .. }) if kind == "PayloadMessage"));
    }
}
