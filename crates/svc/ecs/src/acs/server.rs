//! The handshake: who connects, for which instance.

use std::sync::Arc;

use roadstead_base::Ctx;
use roadstead_dispatch::{Raw, RawRequest, RawResponse};
use roadstead_protocol::BoxFuture;

use crate::Ecs;
use crate::acs::{PATH, connection};
use crate::handshake::{Handshake, Refused, instance, members};

/// Bytes of one message from an agent; the largest, a stop verification, names a few tasks.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The channel as a part of the gate.
pub(crate) struct Acs(pub(crate) Arc<Ecs>);

/// What the agent says of itself in the query.
#[derive(Debug, Default)]
struct Query {
    instance: String,
    capabilities: Vec<String>,
}

impl Raw for Acs {
    fn action(&self) -> Option<&'static str> {
        Some("ecs:Poll")
    }

    fn serve<'a>(&'a self, ctx: Ctx, request: RawRequest) -> BoxFuture<'a, RawResponse> {
        Box::pin(async move {
            accept(&self.0, &ctx, request)
                .await
                .unwrap_or_else(Refused::answer)
        })
    }
}

async fn accept(ecs: &Arc<Ecs>, ctx: &Ctx, request: RawRequest) -> Result<RawResponse, Refused> {
    let handshake = Handshake::of(request, PATH)?;
    let query = read_query(handshake.uri().query().unwrap_or_default());
    let record = instance(ecs, ctx, &query.instance).await?;
    let ecs = ecs.clone();
    let capable = query
        .capabilities
        .iter()
        .any(|name| name == roadstead_acs::CAPABILITY_NETWORK_MAP)
        || record
            .attributes
            .contains_key(roadstead_acs::CAPABILITY_NETWORK_MAP);
    Ok(handshake.accept(MAX_MESSAGE, move |socket| {
        let maps_for = record.ec2_instance_id.filter(|_| capable);
        connection::serve(ecs, record.name, maps_for, socket)
    }))
}

/// Versions and hashes are the agent's own business; heartbeats and their answers are kept to whatever protocol
/// version it names.
fn read_query(query: &str) -> Query {
    let mut read = Query::default();
    for (name, value) in members(query) {
        match name {
            "containerInstanceArn" => read.instance = value,
            _ if name == roadstead_acs::CAPABILITY_NETWORK_MAP => read.capabilities.push(name.to_owned()),
            _ => {}
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_query_is_read() {
        let uri = "/_roadstead/acs/ws?agentHash=a8b3e7d3&agentVersion=1.105.1&clusterArn=default&containerInstanceArn=\
                   arn%3Aaws%3Aecs%3Aus-east-1%3A123456789012%3Acontainer-instance%2Fdefault%2F0123456789abcdef\
                   &dockerVersion=DockerVersion%3A+20.10.24%2Bdfsg1&protocolVersion=2&sendCredentials=true&seqNum=1";
        let query = read_query(uri.split_once('?').expect("a query").1);
        assert_eq!(
            query.instance,
            "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123456789abcdef"
        );
        assert!(query.capabilities.is_empty());
    }
}
