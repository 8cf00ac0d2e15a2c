//! One connection of the telemetry channel: signed frames out, acknowledgments and heartbeats in.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roadstead_acs::telemetry::InstanceStatus;
use roadstead_acs::{FromTelemetry, ToTelemetry};
use tokio_tungstenite::tungstenite::Message;

use super::buffer::Buffer;
use super::timing::Timing;
use crate::api::Client;
use crate::channel::{End, Socket, base, open};
use crate::run::jitter;

/// `<endpoint>/ws?…`
pub(super) fn url(endpoint: &str, cluster: &str, container_instance: &str) -> Result<Uri, String> {
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query = format!(
        "agentHash=roadstead&agentVersion={}&cluster={}&containerInstance={}&dockerVersion=roadstead",
        escape(env!("CARGO_PKG_VERSION")),
        escape(cluster),
        escape(container_instance),
    );
    let base = base(endpoint)?;
    format!("{base}/ws?{query}")
        .parse()
        .map_err(|error| format!("{endpoint:?} is no address: {error}"))
}

/// Where and how a registration tells.
pub(super) struct Line<'a> {
    pub client: &'a Client,
    pub url: &'a Uri,
    pub timing: &'a Timing,
    /// How the machine does, as a message of now.
    pub status: &'a (dyn Fn(&InstanceStatus) -> FromTelemetry + Send + Sync),
}

/// Tells what waits in the buffer until the connection ends.
pub(super) async fn tell(line: &Line<'_>, buffer: &Buffer) -> End {
    let timing = line.timing;
    let mut socket = match open(line.client, line.url).await {
        Ok(socket) => socket,
        Err(end) => return end,
    };
    buffer.connected();
    let silence = timing.inactivity.mul_f64(1.0 + jitter());
    let silent = tokio::time::sleep(silence);
    tokio::pin!(silent);
    loop {
        tokio::select! {
            () = &mut silent => {
                let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
                return End::Silent;
            }
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    silent.as_mut().reset(tokio::time::Instant::now() + silence);
                    heard(&text);
                }
                Some(Ok(Message::Close(frame))) => return End::Closed(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::debug!(%error, "the telemetry channel broke");
                    return End::Closed(None);
                }
                None => return End::Closed(None),
            },
            () = buffer.something() => {
                if !send_all(line, buffer, &mut socket).await {
                    return End::Closed(None);
                }
            }
        }
    }
}

fn heard(text: &str) {
    match ToTelemetry::from_text(text) {
        Ok(ToTelemetry::Error(error)) => {
            tracing::warn!(
                message = error.message,
                "the control plane does not take a report"
            );
        }
        Ok(ToTelemetry::Unknown(kind)) => tracing::debug!(kind, "a message that is not known here"),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "a message on the telemetry channel cannot be read"),
    }
}

/// False: the connection is broken, and what was not told waits on.
async fn send_all(line: &Line<'_>, buffer: &Buffer, socket: &mut Socket) -> bool {
    if let Some(status) = buffer.untold_status() {
        if !send(line, &(line.status)(&status), socket).await {
            return false;
        }
        buffer.status_told(&status);
    }
    while let Some((number, report)) = buffer.oldest() {
        for frame in &report {
            if !send(line, frame, socket).await {
                return false;
            }
        }
        buffer.told(number);
    }
    true
}

async fn send(line: &Line<'_>, frame: &FromTelemetry, socket: &mut Socket) -> bool {
    let text = signed(line.client, line.url, &frame.to_text());
    let sending = socket.send(Message::text(text));
    matches!(tokio::time::timeout(line.timing.write, sending).await, Ok(Ok(())))
}

/// The frame below the header lines that sign it: as the body of the handshake's request.
fn signed(client: &Client, url: &Uri, body: &str) -> String {
    let mut headers = HeaderMap::new();
    let host = url
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    if let Ok(host) = HeaderValue::from_str(host) {
        headers.insert(header::HOST, host);
    }
    client.sign(&Method::GET, url, &mut headers, body.as_bytes());
    let mut text = String::new();
    for (name, value) in &headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}
