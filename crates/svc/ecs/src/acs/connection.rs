//! One connection's life: maps, manifest, then whatever the reconcilers have for the agent, with heartbeats in
//! between. Everything read and written is bounded in size and time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use roadstead_acs::{Close, FromAgent, Heartbeat, NetworkMap, ToAgent};
use roadstead_base::random_uuid;
use roadstead_dispatch::MapReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use crate::Ecs;
use crate::acs::session::{Outgoing, Session};
use crate::acs::{manifest, renew};
use crate::error::Result;
use crate::handshake::Socket;
use crate::instances::{InstanceRef, connection};

/// An agent that does not take a frame for this long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// Maps that an agent could not apply are sent again after this.
const MAPS_AGAIN: Duration = Duration::from_secs(5);
/// Heartbeats without an answer after which it is gone.
const MISSED: u32 = 2;

/// Why a connection ended.
enum End {
    /// The agent's doing.
    Gone(String),
    /// Ours, said to the agent first.
    Closed(String),
}

/// Serves an agent until either side ends it. `maps_for` is the machine, if its agent takes maps.
pub(super) async fn serve(
    ecs: Arc<Ecs>,
    instance: InstanceRef,
    maps_for: Option<String>,
    mut socket: Socket,
) {
    let cluster = instance.cluster.arn(&instance.partition);
    let (session, outgoing) = ecs.agents.open(instance.arn(), cluster, maps_for);
    let end = match greet(&ecs, &instance, &session, &mut socket).await {
        Ok(()) => {
            ecs.agents.enter(&session);
            tracing::info!(instance = session.instance(), "an agent is connected");
            ecs.wake_tasks_of(&instance).await;
            connection::changed(&ecs, &instance).await;
            run(&ecs, &instance, &session, outgoing, &mut socket).await
        }
        Err(end) => end,
    };
    if ecs.agents.leave(&session) {
        connection::changed(&ecs, &instance).await;
    }
    let (End::Gone(why) | End::Closed(why)) = &end;
    tracing::info!(instance = session.instance(), why, "an agent's connection ended");
    if let End::Closed(message) = end {
        let goodbye = ToAgent::Close(Box::new(Close { message }));
        let _ = write(&mut socket, &goodbye).await;
        let normal = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let _ = timeout(WRITE, socket.close(Some(normal))).await;
    }
}

/// What every connection begins with: the maps, so that the tasks of the manifest have their networks.
async fn greet(ecs: &Ecs, instance: &InstanceRef, session: &Session, socket: &mut Socket) -> Result<(), End> {
    let failed = |error: crate::Error| End::Closed(format!("the control plane failed: {error}"));
    let timeline = manifest::next_timeline(ecs, instance).await.map_err(failed)?;
    session.set_timeline(timeline);
    if let Some(maps) = session.maps_for().map(|machine| ecs.maps.subscribe(machine)) {
        let map = network_map(&maps);
        session.claim_maps(map.generation, &map.message_id);
        write(socket, &ToAgent::NetworkMap(Box::new(map))).await?;
    }
    let manifest = manifest::manifest(ecs, instance, session.cluster(), timeline)
        .await
        .map_err(failed)?;
    write(socket, &ToAgent::TaskManifest(Box::new(manifest))).await
}

async fn run(
    ecs: &Ecs,
    instance: &InstanceRef,
    session: &Session,
    mut outgoing: Outgoing,
    socket: &mut Socket,
) -> End {
    let mut maps = session.maps_for().map(|machine| ecs.maps.subscribe(machine));
    let mut beat = interval(ecs.options.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut again = interval(MAPS_AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keys = interval(renew::AGAIN);
    keys.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    let mut heard = Instant::now();
    loop {
        let sent = tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    heard = Instant::now();
                    if matches!(FromAgent::from_text(&text), Ok(FromAgent::HeartbeatAck(_))) {
                        unanswered = 0;
                    }
                    take(ecs, instance, session, socket, &text).await
                }
                Some(Ok(Message::Close(frame))) => Err(End::Gone(format!("closed by the agent: {frame:?}"))),
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(End::Gone(error.to_string())),
                None => Err(End::Gone("the connection was lost".to_owned())),
            },
            Some(frame) = outgoing.frames.recv() => write(socket, &frame).await,
            () = changed(&mut maps) => send_maps(session, &maps, socket).await,
            _ = again.tick() => send_maps(session, &maps, socket).await,
            // At once, and then from time to time.
            _ = keys.tick() => send_keys(ecs, instance, socket).await,
            why = closing(&mut outgoing.close) => Err(End::Closed(why)),
            _ = beat.tick() => {
                if unanswered >= MISSED && heard.elapsed() >= ecs.options.heartbeat {
                    Err(End::Closed("heartbeats were not answered".to_owned()))
                } else {
                    unanswered += 1;
                    let beat = Heartbeat { message_id: random_uuid(), healthy: true };
                    write(socket, &ToAgent::Heartbeat(Box::new(beat))).await
                }
            }
        };
        if let Err(end) = sent {
            return end;
        }
    }
}

/// One frame of the agent's. One that cannot be read is logged and dropped, as the agent does.
async fn take(
    ecs: &Ecs,
    instance: &InstanceRef,
    session: &Session,
    socket: &mut Socket,
    text: &str,
) -> Result<(), End> {
    match FromAgent::from_text(text) {
        Ok(FromAgent::Ack(ack)) => {
            if let Some(task) = session.acknowledged(&ack.message_id) {
                tracing::debug!(task, "the agent has its order");
            }
        }
        Ok(FromAgent::Nack(nack)) => {
            tracing::warn!(
                instance = session.instance(),
                reason = nack.reason,
                "an agent refused a message"
            );
            session.refused(&nack.message_id);
        }
        Ok(FromAgent::TaskStopVerification(asked)) => {
            match manifest::verify(ecs, instance, *asked, ecs.clock.now()).await {
                Ok(answer) => {
                    return write(socket, &ToAgent::TaskStopVerificationAck(Box::new(answer))).await;
                }
                // Without an answer the agent stops nothing; the next connection asks again.
                Err(error) => tracing::error!(%error, "an agent's question could not be answered"),
            }
        }
        Ok(FromAgent::HeartbeatAck(_) | FromAgent::CredentialsAck(_)) => {}
        Ok(FromAgent::Unknown(kind)) => tracing::debug!(kind, "a message that is not known here"),
        Err(error) => {
            tracing::warn!(instance = session.instance(), %error, "an agent's message cannot be read")
        }
    }
    Ok(())
}

async fn write(socket: &mut Socket, frame: &ToAgent) -> Result<(), End> {
    match timeout(WRITE, socket.send(Message::text(frame.to_text()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Gone(error.to_string())),
        Err(_) => Err(End::Gone("the agent does not read".to_owned())),
    }
}

/// Sends new keys of the roles of the instance's tasks.
async fn send_keys(ecs: &Ecs, instance: &InstanceRef, socket: &mut Socket) -> Result<(), End> {
    match renew::messages(ecs, instance).await {
        Ok(messages) => {
            for message in messages {
                write(socket, &message).await?;
            }
        }
        // Those that are out last for a while; the next time may be better.
        Err(error) => tracing::error!(%error, "keys of tasks' roles could not be renewed"),
    }
    Ok(())
}

/// Sends the present maps unless they were sent.
async fn send_maps(session: &Session, maps: &Option<MapReceiver>, socket: &mut Socket) -> Result<(), End> {
    let Some(maps) = maps else { return Ok(()) };
    let map = network_map(maps);
    if session.claim_maps(map.generation, &map.message_id) {
        write(socket, &ToAgent::NetworkMap(Box::new(map))).await?;
    }
    Ok(())
}

/// The present maps as a message.
pub(crate) fn network_map(maps: &MapReceiver) -> NetworkMap {
    let map = maps.borrow().clone();
    NetworkMap {
        message_id: random_uuid(),
        generation: map.generation,
        vpcs: map.vpcs.clone(),
    }
}

/// Waits for a newer map; for ever if there are none.
async fn changed(maps: &mut Option<MapReceiver>) {
    match maps {
        Some(receiver) => {
            if receiver.changed().await.is_err() {
                *maps = None;
            }
        }
        None => std::future::pending().await,
    }
}

async fn closing(close: &mut tokio::sync::watch::Receiver<Option<String>>) -> String {
    match close.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        Err(_) => "the control plane stops".to_owned(),
    }
}
