//! The websocket's handshake: a signed GET with everything the control plane wants to know of the agent.

use std::time::Duration;

use http::{Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roadstead_acs::CAPABILITY_NETWORK_MAP;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::verdict::{End, refusal};
use crate::api::Client;

const CONNECT: Duration = Duration::from_secs(30);
/// A payload with the most tasks and the largest definitions stays far below.
const MAX_MESSAGE: usize = 16 << 20;

pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// With TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What the agent says of itself in the query.
#[derive(Clone, Debug)]
pub(super) struct Hello<'a> {
    /// As DiscoverPollEndpoint answered it.
    pub endpoint: &'a str,
    pub cluster: &'a str,
    pub container_instance_arn: &'a str,
    /// True until the first connection of the process.
    pub send_credentials: bool,
    pub network_map: bool,
}

pub(super) async fn connect(client: &Client, hello: &Hello<'_>) -> Result<Socket, End> {
    let url = url(hello).map_err(|why| unreachable(&why))?;
    open(client, &url).await
}

/// A websocket by a signed GET.
pub(crate) async fn open(client: &Client, url: &Uri) -> Result<Socket, End> {
    match tokio::time::timeout(CONNECT, shake_hands(client, url)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(unreachable(&"no answer in time")),
    }
}

fn unreachable(why: &dyn std::fmt::Display) -> End {
    tracing::warn!(%why, "a channel cannot be opened");
    End::Unreachable
}

async fn shake_hands(client: &Client, url: &Uri) -> Result<Socket, End> {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let tls = url.scheme_str() == Some("wss");
    let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| unreachable(&error))?;
    stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
    let stream: Box<dyn Stream> = if tls {
        let secured = client.trust().secure(host, stream).await;
        Box::new(secured.map_err(|error| unreachable(&error))?)
    } else {
        Box::new(stream)
    };
    let mut request = url.into_client_request().map_err(|error| unreachable(&error))?;
    let uri = request.uri().clone();
    client.sign(&Method::GET, &uri, request.headers_mut(), b"");
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let kind = refusal(response.body().as_deref().unwrap_or_default());
            tracing::warn!(status = response.status().as_u16(), kind, "a channel was refused");
            Err(End::Refused(kind))
        }
        Err(error) => Err(unreachable(&error)),
    }
}

/// An endpoint as the address of a websocket: http and https stand for ws and wss.
pub(crate) fn base(endpoint: &str) -> Result<String, String> {
    let base = endpoint.trim_end_matches('/');
    let schemes = [("http", "ws"), ("ws", "ws"), ("https", "wss"), ("wss", "wss")];
    let (scheme, rest) = base
        .split_once("://")
        .and_then(|(found, rest)| {
            let (_, scheme) = schemes.iter().find(|(known, _)| *known == found)?;
            Some((*scheme, rest))
        })
        .ok_or_else(|| format!("{base:?} is not reached over http or https"))?;
    Ok(format!("{scheme}://{rest}"))
}

/// `<endpoint>/ws?…`
fn url(hello: &Hello<'_>) -> Result<Uri, String> {
    let base = base(hello.endpoint)?;
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut query = format!(
        "agentHash=roadstead&agentVersion={}&clusterArn={}&containerInstanceArn={}&dockerVersion={}&protocolVersion=2&seqNum=1&sendCredentials={}",
        escape(env!("CARGO_PKG_VERSION")),
        escape(hello.cluster),
        escape(hello.container_instance_arn),
        escape("DockerVersion: roadstead"),
        hello.send_credentials,
    );
    if hello.network_map {
        query.push_str(&format!("&{CAPABILITY_NETWORK_MAP}=true"));
    }
    format!("{base}/ws?{query}")
        .parse()
        .map_err(|error| format!("{base:?} is no address: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_says_who_comes() {
        let hello = Hello {
            endpoint: "http://127.0.0.1:4566/acs/",
            cluster: "default",
            container_instance_arn: "arn:aws:ecs:r:000000000000:container-instance/default/0",
            send_credentials: true,
            network_map: true,
        };
        let url = url(&hello).expect("a URL").to_string();
        assert!(url.starts_with("ws://127.0.0.1:4566/acs/ws?agentHash="), "{url}");
        for part in [
            "clusterArn=default&",
            "containerInstanceArn=arn%3Aaws%3Aecs%3Ar%3A000000000000%3Acontainer%2Dinstance%2Fdefault%2F0&",
            "protocolVersion=2&seqNum=1&sendCredentials=true",
            "roadstead.capability.network-map=true",
        ] {
            assert!(url.contains(part), "{url} lacks {part}");
        }
        let tls = Hello {
            endpoint: "https://x",
            ..hello.clone()
        };
        assert!(
            super::url(&tls)
                .expect("a URL")
                .to_string()
                .starts_with("wss://x/ws?")
        );
        let other = Hello {
            endpoint: "ftp://x",
            ..hello
        };
        assert!(super::url(&other).is_err());
    }
}
