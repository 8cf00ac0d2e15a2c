//! What clients, slow ones, broken ones and hostile ones do to an HTTP server, by raw sockets.

mod support;

use std::io::Write as _;
use std::time::Duration;

use roadstead_dispatch::{Limits, Trust};
use roadstead_protocol::Value;
use support::{LIMITS, World, world, world_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TARGET: &str = "AmazonEC2ContainerServiceV20141113.ListTasks";
const AUTH: &str =
    "AWS4-HMAC-SHA256 Credential=AK/20270115/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=00";

/// The head of a call without its closing empty line.
fn head(more: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {TARGET}\r\n\
         Authorization: {AUTH}\r\n{more}"
    )
}

fn call(more: &str, body: &[u8]) -> Vec<u8> {
    let mut request = head(&format!(
        "Connection: close\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    ))
    .into_bytes();
    request.extend_from_slice(body);
    request
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("compresses");
    encoder.finish().expect("compresses")
}

async fn impatient(trust: Trust) -> World {
    let limits = Limits {
        read: Duration::from_secs(1),
        ..LIMITS
    };
    world_of(
        trust,
        limits,
        &[&roadstead_api_ecs::MODEL, &roadstead_api_ec2::MODEL],
    )
    .await
}

/// Reads one response with a `Content-Length` and leaves the connection open.
async fn response(stream: &mut TcpStream) -> (u16, String) {
    let mut got = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                return (status.expect("a status"), body.to_owned());
            }
        }
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut buffer));
        let count = read.await.expect("in time").expect("reads");
        assert!(count > 0, "closed after {text:?}");
        got.extend_from_slice(&buffer[..count]);
    }
}

/// Waits until the other side closes; no patience but that of [`impatient`] is as short.
async fn closed(stream: &mut TcpStream, what: &str) {
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(25), stream.read_to_end(&mut rest))
        .await
        .expect(what);
}

#[tokio::test]
async fn compressed_bodies_are_inflated_within_bounds() {
    let world = world(Trust::UnknownIsRoot).await;
    let good = gzip(br#"{"cluster":"a"}"#);
    let (status, _, body) = world.bytes(&call("Content-Encoding: gzip\r\n", &good)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        world.seen.lock().expect("no panic holds it")[0].2.get("cluster"),
        Some(&Value::Str("a".into()))
    );
    let bomb = gzip(&vec![b' '; 50 * 1024 * 1024]);
    assert!(bomb.len() < LIMITS.body, "the bomb is small as it comes");
    for (encoding, body, status) in [
        ("gzip", &bomb[..], 413),
        ("gzip", b"not gzip", 400),
        ("gzip", &good[..good.len() - 3], 400),
        ("gzip, gzip", &good, 415),
        ("br", b"{}", 415),
        ("identity", b"{}", 200),
    ] {
        let (got, _, answer) = world
            .bytes(&call(&format!("Content-Encoding: {encoding}\r\n"), body))
            .await;
        assert_eq!(got, status, "{encoding}: {answer}");
    }
    let form = gzip(b"Action=DescribeVpcs&Version=2016-11-15");
    let mut request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Authorization: {}\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        AUTH.replace("ecs", "ec2"),
        form.len()
    )
    .into_bytes();
    request.extend_from_slice(&form);
    assert_eq!(world.bytes(&request).await.0, 200);
}

#[tokio::test]
async fn continue_is_said_when_the_body_is_wanted_and_only_then() {
    let world = world(Trust::UnknownIsRoot).await;
    let mut stream = world.connect().await;
    let request = head("Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.expect("an interim answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.expect("writes");
    assert_eq!(response(&mut stream).await.0, 200);

    for (more, status) in [
        ("Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", 413),
        ("Expect: 200-ok\r\nContent-Length: 2\r\n\r\n", 417),
    ] {
        let mut stream = world.connect().await;
        stream.write_all(head(more).as_bytes()).await.expect("writes");
        assert_eq!(response(&mut stream).await.0, status, "{more}");
    }
}

#[tokio::test]
async fn strangers_are_refused_before_their_bodies_are_read() {
    let world = world(Trust::IssuedOnly).await;
    for authorization in [format!("Authorization: {AUTH}\r\n"), String::new()] {
        let mut stream = world.connect().await;
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: {TARGET}\r\n{authorization}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("writes");
        let (status, body) = response(&mut stream).await;
        assert_eq!(status, 400, "no interim answer came first: {body}");
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn connections_are_kept_and_requests_can_queue_on_them() {
    let world = world(Trust::UnknownIsRoot).await;
    let mut stream = world.connect().await;
    for _ in 0..3 {
        let one = head("Content-Length: 2\r\n\r\n{}");
        stream.write_all(one.as_bytes()).await.expect("writes");
        assert_eq!(response(&mut stream).await.0, 200);
    }
    let two = head("Content-Length: 2\r\n\r\n{}") + &head("Connection: close\r\nContent-Length: 2\r\n\r\n{}");
    stream.write_all(two.as_bytes()).await.expect("writes");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.expect("reads");
    assert_eq!(rest.matches("HTTP/1.1 200").count(), 2, "{rest}");
    let chunked =
        head("Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n");
    assert_eq!(world.raw(&chunked).await.0, 200);
    assert_eq!(world.calls(), 6);
}

#[tokio::test]
async fn heads_are_bounded_and_must_be_plain() {
    let world = world(Trust::UnknownIsRoot).await;
    let long = format!("X-Long: {}\r\nContent-Length: 2\r\n\r\n{{}}", "a".repeat(100_000));
    let many: String =
        (0..200).map(|n| format!("X-{n}: 1\r\n")).collect::<String>() + "Content-Length: 2\r\n\r\n{}";
    let uri = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000));
    for (what, request) in [
        ("a long header", head(&long)),
        ("many headers", head(&many)),
        ("a long path", uri),
        (
            "two lengths",
            head("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
        ),
        ("no number", head("Content-Length: +2\r\n\r\n{}")),
        ("a space in a name", head("X Y: 1\r\nContent-Length: 2\r\n\r\n{}")),
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        (
            "two hosts",
            head("Host: localhost\r\nContent-Length: 2\r\n\r\n{}"),
        ),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (
            "another host in the URI",
            "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        ),
        (
            "an odd version",
            "GET / HTTP/3.7\r\nHost: localhost\r\n\r\n".to_owned(),
        ),
    ] {
        let request = request.replace("Host: localhost\r\n", "Host: localhost\r\nConnection: close\r\n");
        let (status, _, body) = world.raw(&request).await;
        // Without an answer the connection was closed, which is as good.
        assert!(
            status == 0 || (400..500).contains(&status),
            "{what}: {status} {body}"
        );
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(world.bytes(&call("", b"{}")).await.0, 200, "it still serves");
}

#[tokio::test]
async fn slow_clients_do_not_hold_a_place() {
    let world = impatient(Trust::UnknownIsRoot).await;
    let started = head("Content-Length: 10\r\n\r\n{");
    for (what, sent) in [
        ("silence", ""),
        ("the beginning of HTTP/2", "PRI * HT"),
        ("half a head", "POST / HTTP/1.1\r\nHost:"),
        ("half a body", started.as_str()),
    ] {
        let mut stream = world.connect().await;
        stream.write_all(sent.as_bytes()).await.expect("writes");
        closed(&mut stream, what).await;
    }
    let mut stream = world.connect().await;
    stream
        .write_all(head("Content-Length: 2\r\n\r\n{}").as_bytes())
        .await
        .expect("writes");
    assert_eq!(response(&mut stream).await.0, 200);
    closed(&mut stream, "idle after a request").await;
}

#[tokio::test]
async fn places_are_bounded_and_come_back() {
    let world = impatient(Trust::UnknownIsRoot).await;
    let mut idle = Vec::new();
    for _ in 0..LIMITS.connections {
        idle.push(world.connect().await);
    }
    // All places are taken by the silent; ours comes when they have been sent away.
    let (status, _, _) = world.bytes(&call("", b"{}")).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn deep_bodies_are_refused_in_every_protocol() {
    let world = world(Trust::UnknownIsRoot).await;
    let nested = format!(r#"{{"cluster":{}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let maps = r#"{"a":"#.repeat(8000);
    for body in [nested.as_str(), maps.as_str()] {
        let (status, _, answer) = world.bytes(&call("", body.as_bytes())).await;
        assert_eq!(status, 400, "{answer}");
    }
    let name = "Filter.1".to_owned() + &".1".repeat(15_000);
    let (status, answer) = world
        .ec2(&format!("Action=DescribeVpcs&Version=2016-11-15&{name}=x"))
        .await;
    assert_eq!(status, 400, "{answer}");
    let many: String = (0..11_000).map(|_| "&a=1").collect();
    let (status, answer) = world
        .ec2(&format!("Action=DescribeVpcs&Version=2016-11-15{many}"))
        .await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn http2_without_tls_is_served_when_it_is_known_beforehand() {
    use http_body_util::{BodyExt as _, Full};
    let world = world(Trust::UnknownIsRoot).await;
    let io = hyper_util::rt::TokioIo::new(world.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io)
            .await
            .expect("a handshake");
    tokio::spawn(connection);
    let request = |host: &str| {
        http::Request::post(format!("http://{host}/"))
            .header("x-amz-target", TARGET)
            .header("authorization", AUTH)
            .body(Full::new(bytes::Bytes::from_static(b"{\"cluster\":\"two\"}")))
            .expect("a request")
    };
    let calls = (0..20)
        .map(|_| sender.send_request(request("localhost")))
        .collect::<Vec<_>>();
    for call in calls {
        let response = call.await.expect("answers");
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(&body[..], b"{}");
    }
    assert_eq!(world.calls(), 20);
    let foreign = sender
        .send_request(request("evil.example"))
        .await
        .expect("answers");
    assert_eq!(foreign.status(), 403, "the rules of the listener hold");
    assert_eq!(world.calls(), 20);
}
