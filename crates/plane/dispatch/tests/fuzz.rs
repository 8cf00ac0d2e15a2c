//! Raw bytes into the socket: whatever they are, the server answers in HTTP or hangs up, never with a fault of its
//! own, and serves the next client.

#[path = "../../../wire/protocol/tests/support/fuzz.rs"]
mod fuzz;
mod support;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use fuzz::Corpus;
use roadstead_dispatch::{Limits, Trust};
use support::services::{CBOR, QUERY, REST_JSON, REST_XML};
use support::{LIMITS, world_of};

#[test]
fn requests() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let models = [
        &roadstead_api_ecs::MODEL,
        &roadstead_api_ec2::MODEL,
        &QUERY,
        &REST_JSON,
        &REST_XML,
        &CBOR,
    ];
    let limits = Limits {
        read: Duration::from_secs(2),
        ..LIMITS
    };
    let world = runtime.block_on(world_of(Trust::UnknownIsRoot, limits, &models));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/requests");
    let words = [
        "\r\n",
        "\r\n\r\n",
        "Content-Length: ",
        "Transfer-Encoding: chunked\r\n",
        "Content-Encoding: gzip\r\n",
        "HTTP/1.1",
        "Expect: 100-continue\r\n",
        "Connection: upgrade\r\n",
        "X-Amz-Target: ",
        "?X-Amz-Signature=0",
        "\u{16}\u{3}\u{1}",
    ];
    let (mut answered, mut good) = (0, 0);
    let count = Corpus::read(&folder).words(&words).feed(|input| {
        let mut stream = TcpStream::connect(world.address).expect("it takes the next client");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket");
        // The other side may close before it has read all.
        let _ = stream.write_all(input);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            let kind = error.kind();
            assert!(
                kind == std::io::ErrorKind::ConnectionReset,
                "neither an answer nor an end: {error}"
            );
        }
        let text = String::from_utf8_lossy(&answer);
        for line in text.lines().filter(|line| line.starts_with("HTTP/1.")) {
            let status: u16 = line
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .expect("a status");
            // What is known by name and not built yet is 501.
            assert!(status < 500 || status == 501, "{text}");
            answered += 1;
            good += usize::from(status == 200);
        }
    });
    assert!(
        count > 100 && answered > count / 4 && good > 10,
        "{good} good of {answered} answers to {count}"
    );
}
