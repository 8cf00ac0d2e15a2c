//! The handshake: who reports, for which instance.

use std::sync::Arc;

use roadstead_acs::telemetry::MAX_BYTES;
use roadstead_base::Ctx;
use roadstead_dispatch::{Raw, RawRequest, RawResponse};
use roadstead_protocol::BoxFuture;

use crate::Ecs;
use crate::handshake::{Handshake, Refused, instance, members};
use crate::tcs::PATH;
use crate::tcs::connection::{Connection, serve};

/// Bytes of a frame: its JSON, and the header lines above it.
const MAX_FRAME: usize = MAX_BYTES + 16 * 1024;

/// The channel as a part of the gate.
pub(crate) struct Tcs(pub(crate) Arc<Ecs>);

impl Raw for Tcs {
    fn action(&self) -> Option<&'static str> {
        Some("ecs:StartTelemetrySession")
    }

    fn serve<'a>(&'a self, ctx: Ctx, request: RawRequest) -> BoxFuture<'a, RawResponse> {
        Box::pin(async move {
            accept(&self.0, ctx, request)
                .await
                .unwrap_or_else(Refused::answer)
        })
    }
}

async fn accept(ecs: &Arc<Ecs>, ctx: Ctx, request: RawRequest) -> Result<RawResponse, Refused> {
    let handshake = Handshake::of(request, PATH)?;
    let query = handshake.uri().query().unwrap_or_default();
    let (mut named, mut cluster) = (String::new(), String::new());
    for (name, value) in members(query) {
        match name {
            "containerInstance" => named = value,
            "cluster" => cluster = value,
            // Versions and hashes are the agent's own business.
            _ => {}
        }
    }
    let record = instance(ecs, &ctx, &named).await?;
    let (ecs, opened) = (ecs.clone(), handshake.uri().clone());
    let instance = record.name;
    let arn = instance.cluster.arn(&instance.partition);
    if cluster != arn && cluster != instance.cluster.as_str() {
        return Err(Refused::bad("The container instance is in another cluster."));
    }
    Ok(handshake.accept(MAX_FRAME, move |socket| {
        serve(
            Connection {
                ecs,
                ctx,
                instance,
                opened,
            },
            socket,
        )
    }))
}
