//! One connection's life: signed frames in, acknowledgments and heartbeats out. A frame that is forged or speaks of
//! another instance ends it; one that cannot be read is answered with an error and dropped.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use roadstead_acs::telemetry::{Acknowledged, MAX_BYTES, split_signed};
use roadstead_acs::{Error as ErrorMessage, FromTelemetry, Heartbeat, ToTelemetry};
use roadstead_base::{Ctx, random_uuid};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use crate::Ecs;
use crate::handshake::Socket;
use crate::instances::InstanceRef;
use crate::tcs::intake;

/// An agent that does not take a frame for this long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// An agent says something every 20 s; one that is silent for this long is gone.
const SILENCE: Duration = Duration::from_secs(180);
/// Lines above a frame's JSON.
const MAX_HEADERS: usize = 32;
/// Frames that may come at once: what an agent with a thousand tasks held back for five minutes.
const BURST: f64 = 3_200.0;
/// And for how many more each second makes room.
const FRAMES_PER_SECOND: f64 = 20.0;

/// Who is at the other end.
pub(super) struct Connection {
    pub(super) ecs: Arc<Ecs>,
    pub(super) ctx: Ctx,
    pub(super) instance: InstanceRef,
    /// What the handshake asked for, which every frame's signature is made over as well.
    pub(super) opened: Uri,
}

/// Why a connection ended.
struct End {
    why: String,
    code: CloseCode,
}

/// How many frames may still come.
struct Budget {
    left: f64,
    at: Instant,
}

impl Budget {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * FRAMES_PER_SECOND).min(BURST);
        self.at = now;
        self.left -= 1.0;
        self.left >= 0.0
    }
}

pub(super) async fn serve(connection: Connection, mut socket: Socket) {
    let arn = connection.instance.arn();
    let (id, stop) = connection.ecs.telemetry.open(&arn);
    tracing::info!(instance = arn, "an agent reports");
    let End { why, code } = run(&connection, stop, &mut socket).await;
    connection.ecs.telemetry.leave(&arn, id);
    tracing::info!(instance = arn, why, "an agent's reports ended");
    let frame = CloseFrame {
        code,
        reason: "".into(),
    };
    let _ = timeout(WRITE, socket.close(Some(frame))).await;
}

async fn run(
    connection: &Connection,
    mut stop: tokio::sync::watch::Receiver<Option<&'static str>>,
    socket: &mut Socket,
) -> End {
    let normal = |why: &str| End {
        why: why.to_owned(),
        code: CloseCode::Normal,
    };
    let mut beat = interval(connection.ecs.options.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut budget = Budget {
        left: BURST,
        at: Instant::now(),
    };
    let mut heard = Instant::now();
    loop {
        let answer = tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    heard = Instant::now();
                    if !budget.take() {
                        return End { why: "it says too much".to_owned(), code: CloseCode::Policy };
                    }
                    match take(connection, &text).await {
                        Ok(answer) => answer,
                        Err(refused) => {
                            tracing::warn!(instance = connection.instance.arn(), refused, "an agent's frame is refused");
                            let error = ToTelemetry::Error(Box::new(ErrorMessage { message: refused.clone() }));
                            let _ = write(socket, &error).await;
                            return End { why: refused, code: CloseCode::Policy };
                        }
                    }
                }
                Some(Ok(Message::Close(_))) | None => return normal("closed by the agent"),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return normal(&error.to_string()),
            },
            why = stopped(&mut stop) => return normal(why),
            _ = beat.tick() => {
                if heard.elapsed() > SILENCE {
                    return normal("nothing was heard of the agent");
                }
                ToTelemetry::Heartbeat(Box::new(Heartbeat { message_id: random_uuid(), healthy: true }))
            }
        };
        if let Err(why) = write(socket, &answer).await {
            return normal(&why);
        }
    }
}

async fn stopped(stop: &mut tokio::sync::watch::Receiver<Option<&'static str>>) -> &'static str {
    let why = stop.wait_for(Option::is_some).await;
    why.ok().and_then(|why| *why).unwrap_or("the control plane stops")
}

async fn write(socket: &mut Socket, frame: &ToTelemetry) -> Result<(), String> {
    match timeout(WRITE, socket.send(Message::text(frame.to_text()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the agent does not read".to_owned()),
    }
}

/// One frame; its acknowledgment, or what is wrong with it.
///
/// # Errors
/// It is not the instance's own: the connection is to end.
async fn take(connection: &Connection, text: &str) -> Result<ToTelemetry, String> {
    let Connection {
        ecs,
        ctx,
        instance,
        opened,
    } = connection;
    let Some((head, body)) = split_signed(text) else {
        return Err("The frame is not signed: it has no empty line below its headers.".to_owned());
    };
    if body.len() > MAX_BYTES {
        return Err(format!("The frame has more than {MAX_BYTES} bytes."));
    }
    let headers = headers(head)?;
    ecs.dispatcher
        .signed_later(ctx, "ecs", opened, &headers, body.as_bytes())?;
    let message = match FromTelemetry::from_text(body) {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(instance = instance.arn(), %error, "an agent's report cannot be read");
            return Ok(ToTelemetry::Error(Box::new(ErrorMessage {
                message: error.to_string(),
            })));
        }
    };
    let id = match &message {
        FromTelemetry::Metrics(it) => &it.metadata.message_id,
        FromTelemetry::Health(it) => &it.metadata.message_id,
        FromTelemetry::InstanceStatus(it) => &it.metadata.request_id,
        FromTelemetry::Unknown(kind) => {
            let message = format!("There is no {kind}.");
            return Ok(ToTelemetry::Error(Box::new(ErrorMessage { message })));
        }
    };
    let acknowledged = Box::new(Acknowledged { message: id.clone() });
    let (taken, ack) = match message {
        FromTelemetry::Metrics(metrics) => (
            intake::metrics(ecs, instance, *metrics).await?,
            ToTelemetry::AckMetrics(acknowledged),
        ),
        FromTelemetry::Health(health) => (
            intake::health(ecs, instance, *health).await?,
            ToTelemetry::AckHealth(acknowledged),
        ),
        FromTelemetry::InstanceStatus(status) => (
            intake::instance_status(ecs, instance, *status)?,
            ToTelemetry::AckInstanceStatus(acknowledged),
        ),
        FromTelemetry::Unknown(_) => return Err("There is no such message.".to_owned()),
    };
    Ok(match taken {
        Ok(()) => ack,
        Err(message) => ToTelemetry::Error(Box::new(ErrorMessage { message })),
    })
}

/// `Name: value` lines.
fn headers(head: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in head.lines() {
        if headers.len() == MAX_HEADERS {
            return Err(format!("The frame has more than {MAX_HEADERS} headers."));
        }
        let pair = line.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let (name, value) = pair.ok_or("The frame has a line that is no header.")?;
        if headers.append(name, value) {
            return Err("The frame has a header twice.".to_owned());
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines_are_read_or_refused() {
        let read = headers("Host: 127.0.0.1:1\r\nX-Amz-Date: d").expect("headers");
        assert_eq!(read["host"], "127.0.0.1:1");
        let many: String = (0..40).map(|number| format!("h{number}: x\r\n")).collect();
        for (bad, words) in [
            ("no colon", "no header"),
            ("a b: c", "no header"),
            ("Host: a\r\nhost: b", "twice"),
            (many.as_str(), "more than 32"),
        ] {
            let error = headers(bad).expect_err(bad);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn frames_have_a_budget() {
        let mut budget = Budget {
            left: 2.0,
            at: Instant::now(),
        };
        assert!(budget.take() && budget.take() && !budget.take());
    }
}
