//! A look-up is answered at once, whatever the answer.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

use crate::support::*;

fn ask(ns: &str, server: Ipv4Addr, name: &str, over_tcp: bool) -> (ResponseCode, Vec<String>) {
    use std::io::{Read as _, Write as _};
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let packet = query.to_vec().unwrap();
    let reply = inside(ns, || {
        let mut buffer = vec![0u8; 2048];
        if over_tcp {
            let mut stream = std::net::TcpStream::connect_timeout(&(server, 53).into(), LONG).unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            stream.write_all(&(packet.len() as u16).to_be_bytes()).unwrap();
            stream.write_all(&packet).unwrap();
            let mut length = [0u8; 2];
            stream.read_exact(&mut length).unwrap();
            buffer.truncate(u16::from_be_bytes(length).into());
            stream.read_exact(&mut buffer).unwrap();
        } else {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_read_timeout(Some(LONG)).unwrap();
            socket.connect((server, 53)).unwrap();
            socket.send(&packet).unwrap();
            let length = socket.recv(&mut buffer).expect("an answer");
            buffer.truncate(length);
        }
        Message::from_vec(&buffer).unwrap()
    });
    (
        reply.metadata.response_code,
        reply.answers.iter().map(|r| r.data.to_string()).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resolver_answers_its_own_and_refuses_the_rest_at_once() {
    let mut m = Machine::new().await;
    let v = vpc(1);
    let a = eni(&v, 10);
    m.net().apply(&MapOf::new(&v, 1).wears(&a, &[]).0).await.unwrap();
    let ta = m.start(&a, "a").await;
    let own = "ip-172-31-0-10.eu-west-1.compute.internal.";
    let base_two = Ipv4Addr::new(172, 31, 0, 2);
    for round in 0..2 {
        for server in [base_two, Ipv4Addr::new(169, 254, 169, 253)] {
            for over_tcp in [false, true] {
                let expected = (ResponseCode::NoError, vec!["172.31.0.10".to_owned()]);
                assert_eq!(ask(&ta.ns, server, own, over_tcp), expected, "round {round}");
                assert_eq!(
                    ask(&ta.ns, server, "example.com.", over_tcp),
                    (ResponseCode::Refused, vec![])
                );
            }
        }
        assert!(
            call_briefly(&ta.ns, IpAddr::from(base_two), 80).is_err(),
            "only DNS"
        );
        // The daemon's end takes the resolver with it; the next one serves again.
        m.reopen().await;
    }
}
