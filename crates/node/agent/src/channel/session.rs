//! One registration of the node in one cluster: registers, connects, listens, and comes back whatever happens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use roadstead_acs::FARGATE_CLUSTER;
use roadstead_api_ecs::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;

use super::connect::{Hello, Socket, connect};
use super::handle::Handler;
use super::identity::Identity;
use super::verdict::{End, Next, is_short, next};
use crate::api::Client;
use crate::api::register::{Node, RegisterError, create_cluster, register};
use crate::engine::spec::NetworkMode;
use crate::run::{Engine, Pace, jitter};
use crate::telemetry::{self, Publisher, Samples};

/// How long a stopping agent takes to close its connection.
const GOODBYE: Duration = Duration::from_secs(1);

/// The channel's patience. `Default` is the protocol's.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Without any frame for so long, plus up to as much again, the agent closes.
    pub inactivity: Duration,
    /// A connection's life, plus up to a sixth.
    pub lifetime: Duration,
    /// One frame's way out.
    pub write: Duration,
    /// How long a deregistered instance stays away.
    pub rest: Duration,
    /// How long an answer of DiscoverPollEndpoint is good.
    pub discovered: Duration,
    /// After so long a connection the waits begin anew.
    pub settled: Duration,
    pub reconnect: Pace,
    pub register: Pace,
    pub telemetry: telemetry::Timing,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            inactivity: Duration::from_secs(60),
            lifetime: Duration::from_secs(30 * 60),
            write: Duration::from_secs(3 * 60),
            rest: Duration::from_secs(60 * 60),
            discovered: Duration::from_secs(12 * 60 * 60),
            settled: Duration::from_secs(60),
            reconnect: Pace::CHANNEL,
            register: Pace::REGISTER,
            telemetry: telemetry::Timing::default(),
        }
    }
}

/// Where a registration stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionStatus {
    pub cluster: String,
    /// Once registered.
    pub container_instance_arn: Option<String>,
    pub connected: bool,
    /// Registration failed for good; the session has ended.
    pub failed: Option<String>,
}

pub struct Session {
    pub client: Client,
    pub engine: Engine,
    /// Of all containers of the node.
    pub samples: Samples,
    pub identity: Identity,
    pub node: Node,
    pub cluster: String,
    pub timing: Timing,
    pub status: watch::Sender<SessionStatus>,
    pub stop: CancellationToken,
}

impl Session {
    /// Runs until told to stop, or until registration is refused for good.
    pub async fn run(self) {
        let told = async {
            self.stop.cancelled().await;
            if self.status.borrow().connected {
                tokio::time::sleep(GOODBYE).await;
            }
        };
        tokio::select! {
            biased;
            () = self.live() => {}
            () = told => {}
        }
        self.status.send_modify(|status| status.connected = false);
    }

    async fn live(&self) {
        // Kept across connections: true only until the first one.
        let mut send_credentials = true;
        let mut failed = 0;
        loop {
            let arn = match self.register().await {
                Ok(arn) => arn,
                Err(error) => {
                    tracing::error!(cluster = self.cluster, %error, "the node cannot register");
                    self.status
                        .send_modify(|status| status.failed = Some(error.to_string()));
                    return;
                }
            };
            tracing::info!(cluster = self.cluster, container_instance = arn, "registered");
            self.status
                .send_modify(|status| status.container_instance_arn = Some(arn.clone()));
            let publisher = Publisher {
                client: &self.client,
                engine: &self.engine,
                samples: &self.samples,
                timing: self.timing.telemetry,
                cluster: &self.cluster,
                container_instance: &arn,
                cpu: self.node.cpu,
            };
            // What is told of tasks ends with the registration that they came by.
            tokio::select! {
                () = self.serve(&arn, &mut send_credentials, &mut failed) => {}
                () = publisher.run() => {}
            }
            if self.stop.is_cancelled() {
                return;
            }
            self.engine.forget_maps().await;
            if let Err(error) = self.identity.set_arn(&self.cluster, None).await {
                tracing::warn!(%error, "the old registration could not be forgotten");
            }
        }
    }

    /// Registers, with patience; answers the container instance's ARN.
    async fn register(&self) -> Result<String, RegisterError> {
        let mut known = self
            .identity
            .registration(&self.cluster)
            .await
            .container_instance_arn;
        let token = roadstead_base::random_uuid();
        let mut created = false;
        let mut failed = 0;
        loop {
            let answer = register(&self.client, &self.node, &self.cluster, known.as_deref(), &token).await;
            let error = match answer {
                Ok(arn) => {
                    if let Err(error) = self.identity.set_arn(&self.cluster, Some(&arn)).await {
                        tracing::warn!(%error, "the registration could not be written down; a restart registers anew");
                    }
                    return Ok(arn);
                }
                Err(error) => error,
            };
            match error.code() {
                Some("ClusterNotFoundException") if !created && self.cluster != FARGATE_CLUSTER => {
                    created = true;
                    known = None;
                    create_cluster(&self.client, &self.cluster).await?;
                    continue;
                }
                // The control plane does not know the old registration any more.
                Some(_) if known.is_some() && !error.is_transient() => {
                    tracing::warn!(cluster = self.cluster, %error, "registering anew");
                    self.engine.forget_maps().await;
                    known = None;
                    continue;
                }
                _ if !error.is_transient() => return Err(error),
                _ => {}
            }
            failed += 1;
            // One that cannot be reached is usually about to be there: the first waits are the channel's.
            let pace = if error.code().is_none() {
                self.timing.reconnect
            } else {
                self.timing.register
            };
            match self
                .timing
                .register
                .wait(failed, 0.0)
                .and(pace.wait(failed, jitter()))
            {
                Some(wait) => {
                    tracing::warn!(cluster = self.cluster, %error, ?wait, "registering failed");
                    tokio::time::sleep(wait).await;
                }
                None => return Err(error),
            }
        }
    }

    /// Keeps a connection; returns when the node has to register anew.
    async fn serve(&self, arn: &str, send_credentials: &mut bool, failed: &mut u32) {
        let registration = self.identity.registration(&self.cluster).await;
        let mut handler = Handler {
            engine: self.engine.clone(),
            identity: self.identity.clone(),
            cluster: self.cluster.clone(),
            container_instance_arn: arn.to_owned(),
            timeline: registration.timeline,
            candidates: BTreeMap::new(),
        };
        let mut endpoint: Option<(String, Option<Instant>)> = None;
        let mut short_ones = 0;
        loop {
            let begun = Instant::now();
            let end = match self.endpoint(arn, &mut endpoint).await {
                None => End::Unreachable,
                Some(url) => {
                    let hello = Hello {
                        endpoint: &url,
                        cluster: &self.cluster,
                        container_instance_arn: arn,
                        send_credentials: *send_credentials,
                        network_map: self.node.network_modes.contains(&NetworkMode::Awsvpc),
                    };
                    match connect(&self.client, &hello).await {
                        Ok(socket) => {
                            *send_credentials = false;
                            self.status.send_modify(|status| status.connected = true);
                            let end = self.listen(socket, &mut handler).await;
                            if self.stop.is_cancelled() {
                                return;
                            }
                            self.status.send_modify(|status| status.connected = false);
                            end
                        }
                        Err(end) => end,
                    }
                }
            };
            let lasted = begun.elapsed();
            if lasted >= self.timing.settled {
                *failed = 0;
            }
            if end == End::Unreachable
                && let Some((_, asked)) = &mut endpoint
            {
                // It may have moved; what is known serves until there is a new answer.
                *asked = None;
            }
            let step = next(&end, lasted, short_ones);
            short_ones = if is_short(lasted) { short_ones + 1 } else { 0 };
            tracing::info!(
                cluster = self.cluster,
                ?end,
                ?lasted,
                ?step,
                "the agent channel ended"
            );
            match step {
                Next::AtOnce => {}
                Next::Backoff => {
                    *failed += 1;
                    let wait = self
                        .timing
                        .reconnect
                        .wait(*failed, jitter())
                        .unwrap_or(self.timing.rest);
                    tokio::time::sleep(wait).await;
                }
                Next::Rest => tokio::time::sleep(self.timing.rest).await,
                Next::Register => {
                    *failed += 1;
                    let wait = self
                        .timing
                        .reconnect
                        .wait(*failed, jitter())
                        .unwrap_or(self.timing.rest);
                    tokio::time::sleep(wait).await;
                    return;
                }
            }
        }
    }

    /// Where the channel is; an old answer serves when there is no new one.
    async fn endpoint(&self, arn: &str, known: &mut Option<(String, Option<Instant>)>) -> Option<String> {
        if let Some((url, Some(at))) = known
            && at.elapsed() < self.timing.discovered
        {
            return Some(url.clone());
        }
        let request = DiscoverPollEndpointRequest {
            cluster: Some(self.cluster.clone()),
            container_instance: Some(arn.to_owned()),
            zone_id: None,
        };
        let answer: Result<DiscoverPollEndpointResponse, _> =
            self.client.call("DiscoverPollEndpoint", request).await;
        match answer {
            Ok(DiscoverPollEndpointResponse {
                endpoint: Some(url), ..
            }) => {
                *known = Some((url.clone(), Some(Instant::now())));
                Some(url)
            }
            Ok(_) => {
                tracing::warn!(
                    cluster = self.cluster,
                    "DiscoverPollEndpoint answered no endpoint"
                );
                known.as_ref().map(|(url, _)| url.clone())
            }
            Err(error) => {
                tracing::warn!(cluster = self.cluster, %error, "the channel's address could not be asked for");
                known.as_ref().map(|(url, _)| url.clone())
            }
        }
    }

    async fn listen(&self, mut socket: Socket, handler: &mut Handler) -> End {
        let silence = self.timing.inactivity.mul_f64(1.0 + jitter());
        let aged = tokio::time::sleep(self.timing.lifetime.mul_f64(1.0 + jitter() / 6.0));
        tokio::pin!(aged);
        loop {
            let message = tokio::select! {
                () = &mut aged => {
                    self.close(&mut socket).await;
                    return End::Aged;
                }
                () = self.stop.cancelled() => {
                    self.close(&mut socket).await;
                    return End::Aged;
                }
                message = tokio::time::timeout(silence, socket.next()) => message,
            };
            let text = match message {
                Err(_) => {
                    self.close(&mut socket).await;
                    return End::Silent;
                }
                Ok(None) => return End::Closed(None),
                Ok(Some(Err(error))) => {
                    tracing::debug!(%error, "the agent channel broke");
                    return End::Closed(None);
                }
                Ok(Some(Ok(Message::Close(frame)))) => {
                    return End::Closed(frame.map(|CloseFrame { code, .. }| code.into()));
                }
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(_))) => continue,
            };
            for answer in handler.take(&text).await {
                let sending = socket.send(Message::text(answer.to_text()));
                match tokio::time::timeout(self.timing.write, sending).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return End::Closed(None),
                }
            }
        }
    }

    async fn close(&self, socket: &mut Socket) {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(Some(frame))).await;
    }
}
