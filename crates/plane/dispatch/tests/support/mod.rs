//! A gate with a real socket, and services behind it that only record what reached them.

#![allow(dead_code)] // each test binary uses its part

pub(crate) mod services;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_base::{AccountId, Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_dispatch::{Dispatcher, IssuedKey, Limits, Listener, Security, Trust};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A service that notes the calls it gets and answers an empty output, or an error with a member.
pub(crate) struct Recorder {
    model: &'static ServiceModel,
    seen: Arc<Mutex<Vec<(String, Ctx, Value)>>>,
}

impl Handler for Recorder {
    fn model(&self) -> &'static ServiceModel {
        self.model
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        Box::pin(async move {
            self.seen.lock().expect("no panic holds it").push((
                operation.name.to_owned(),
                ctx.clone(),
                input,
            ));
            if operation.name == "RunTask" {
                return Err(roadstead_api_ecs::errors::conflict_exception("<twice & again>")
                    .with_member("resourceIds", Value::List(vec![Value::Str("a".into())])));
            }
            Ok(Value::empty())
        })
    }
}

pub(crate) struct World {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<(String, Ctx, Value)>>>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    _stop: watch::Sender<bool>,
}

pub(crate) const LIMITS: Limits = Limits {
    body: 64 * 1024,
    read: Duration::from_secs(5),
    connections: 8,
};

pub(crate) async fn world(trust: Trust) -> World {
    world_of(
        trust,
        LIMITS,
        &[&roadstead_api_ecs::MODEL, &roadstead_api_ec2::MODEL],
    )
    .await
}

pub(crate) async fn world_of(trust: Trust, limits: Limits, models: &[&'static ServiceModel]) -> World {
    secured(trust, limits, Security::Plain, models).await
}

pub(crate) async fn secured(
    trust: Trust,
    limits: Limits,
    security: Security,
    models: &[&'static ServiceModel],
) -> World {
    let account: AccountId = "000000000000".parse().expect("an account");
    let dispatcher = Dispatcher::new(
        Arc::new(ManualClock::at(NOW)),
        Pager::new([1; 32]),
        account.clone(),
    );
    let seen = Arc::default();
    for model in models {
        dispatcher.register(Arc::new(Recorder {
            model,
            seen: Arc::clone(&seen),
        }));
    }
    let key = IssuedKey {
        secret: "secret".into(),
        account,
        caller: Caller::Node,
    };
    dispatcher.credentials().issue("RSKEY", key);
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = socket.local_addr().expect("bound");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(
        Listener {
            socket,
            trust,
            limits,
            security,
        }
        .serve(Arc::clone(&dispatcher), stopped),
    );
    World {
        address,
        seen,
        dispatcher,
        _stop: stop,
    }
}

impl World {
    /// Sends a request as it stands and gives the status, the head and the body.
    pub(crate) async fn raw(&self, request: &str) -> (u16, String, String) {
        self.bytes(request.as_bytes()).await
    }

    pub(crate) async fn connect(&self) -> tokio::net::TcpStream {
        tokio::net::TcpStream::connect(self.address)
            .await
            .expect("connects")
    }

    pub(crate) async fn bytes(&self, request: &[u8]) -> (u16, String, String) {
        let mut stream = self.connect().await;
        // The other side may answer and close before it has read all.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(60), read)
            .await
            .expect("answers in time");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            return (0, answer, String::new());
        };
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        (status, head.to_lowercase(), body.to_owned())
    }

    pub(crate) async fn json(&self, key: &str, target: &str, extra: &str, body: &str) -> (u16, String) {
        let (status, _, body) = self
            .raw(&format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.1\r\n\
                 X-Amz-Target: {target}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={key}/20270115/us-east-1/ecs/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-target, Signature=00\r\n{extra}Content-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        (status, body)
    }

    pub(crate) async fn ec2(&self, body: &str) -> (u16, String) {
        let (status, _, body) = self
            .raw(&format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Authorization: AWS4-HMAC-SHA256 Credential=AK/20270115/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        (status, body)
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().expect("no panic holds it").len()
    }
}
