//! Who may talk to whom is what the groups say, at every moment.

use roadstead_acs::network::{Peer, Protocol, Rule};
use roadstead_net::{Error, Transaction};

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_rule_allows_passes() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let map = MapOf::new(&v, 1).wears(&a, &["sg-a"]).wears(&b, &["sg-b"]);
    let map = map.group("sg-a", &[]).group("sg-b", &[anywhere(tcp(80))]);
    m.net().apply(&map.0).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    for port in [80, 81] {
        serve(&ta.ns, port);
        serve(&tb.ns, port);
    }
    assert_eq!(call(&ta.ns, address(11).into(), 80).unwrap(), "172.31.0.10");
    assert!(blocked(&ta.ns, address(11), 81), "no rule opens 81");
    assert!(blocked(&tb.ns, address(10), 80), "no rule opens the other way");
    assert!(unanswered(&ta.ns, address(11)), "no rule opens ICMP");
    assert!(reaches(&ta.ns, address(10), 81), "a task reaches itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_sources_and_a_change_applies_to_new_connections() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b, c) = (eni(&v, 10), eni(&v, 11), eni(&v, 12));
    let map = |generation, c_groups: &[&str], rules: &[Rule]| {
        let map = MapOf::new(&v, generation)
            .wears(&a, &["sg-web"])
            .wears(&b, &["sg-client", "sg-other"]);
        map.wears(&c, c_groups)
            .group("sg-web", rules)
            .group("sg-client", &[])
            .group("sg-other", &[])
            .0
    };
    let open = [
        from_group(tcp(80), "sg-client"),
        from_group(
            Protocol::Icmp {
                kind: Some(8),
                code: None,
            },
            "sg-other",
        ),
    ];
    m.net().apply(&map(1, &["sg-other"], &open)).await.unwrap();
    let (ta, tb, tc) = (
        m.start(&a, "a").await,
        m.start(&b, "b").await,
        m.start(&c, "c").await,
    );
    serve(&ta.ns, 80);
    assert!(reaches(&tb.ns, address(10), 80));
    assert!(blocked(&tc.ns, address(10), 80), "c does not wear sg-client");
    assert!(pings(&tc.ns, address(10)), "but sg-other");

    let applied = m.net().apply(&map(2, &["sg-client"], &open)).await.unwrap();
    assert_eq!(applied.transaction, Transaction::Incremental);
    assert!(reaches(&tc.ns, address(10), 80), "now it does");
    assert!(unanswered(&tc.ns, address(10)));

    let applied = m.net().apply(&map(3, &["sg-client"], &open[1..])).await.unwrap();
    assert_eq!(
        (applied.generation, applied.transaction),
        (3, Transaction::Incremental)
    );
    assert!(blocked(&tb.ns, address(10), 80), "the rule is gone");
    let stale = m.net().apply(&map(2, &["sg-client"], &open)).await;
    assert!(
        matches!(
            stale,
            Err(Error::Stale {
                held: 3,
                offered: 2,
                ..
            })
        ),
        "{stale:?}"
    );
    assert!(
        blocked(&tb.ns, address(10), 80),
        "and a stale map brings it not back"
    );
    assert_eq!(
        m.net()
            .apply(&map(4, &["sg-client"], &open[1..]))
            .await
            .unwrap()
            .transaction,
        Transaction::None
    );
    assert_eq!(
        m.net()
            .apply(&map(4, &["sg-client"], &open))
            .await
            .unwrap()
            .transaction,
        Transaction::Full
    );
    assert!(
        reaches(&tb.ns, address(10), 80),
        "the same generation again repairs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn egress_rules_hold_too() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b, c) = (eni(&v, 10), eni(&v, 11), eni(&v, 12));
    let mut map = MapOf::new(&v, 1)
        .wears(&a, &["sg-a"])
        .wears(&b, &["sg-b"])
        .wears(&c, &["sg-b"]);
    map = map.group("sg-a", &[]).group("sg-b", &[anywhere(Protocol::All)]);
    let only_b = Rule {
        protocol: tcp(80),
        peer: Peer::Cidr("172.31.0.11/32".parse().unwrap()),
    };
    map.0.groups[0].egress = vec![only_b];
    m.net().apply(&map.0).await.unwrap();
    let (ta, tb, tc) = (
        m.start(&a, "a").await,
        m.start(&b, "b").await,
        m.start(&c, "c").await,
    );
    for ns in [&tb.ns, &tc.ns] {
        serve(ns, 80);
        serve(ns, 81);
    }
    assert!(reaches(&ta.ns, address(11), 80));
    assert!(blocked(&ta.ns, address(11), 81));
    assert!(blocked(&ta.ns, address(12), 80));
    assert!(reaches(&tb.ns, address(12), 81));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracked_connection_outlives_its_rule_but_not_its_interface() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let next = roadstead_net::Eni {
        mac: roadstead_net::MacAddr([2, 7, 7, 7, 7, 7]),
        ..eni(&v, 12)
    };
    let next = roadstead_net::Eni {
        ips: b.ips.clone(),
        ..next
    };
    // From one address: what is open to all is not tracked.
    let udp_in = [Rule {
        protocol: Protocol::Udp { from: 5000, to: 5000 },
        peer: Peer::Cidr("172.31.0.10/32".parse().unwrap()),
    }];
    let map = MapOf::new(&v, 1).wears(&a, &["sg-a"]).wears(&b, &["sg-b"]);
    m.net()
        .apply(&map.group("sg-a", &[]).group("sg-b", &udp_in).0)
        .await
        .unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    let client = udp(&ta.ns, (address(10), 4000));
    let server = udp(&tb.ns, (address(11), 5000));
    let say = |text: &str| client.send_to(text.as_bytes(), (address(11), 5000)).unwrap();
    say("one");
    let (_, from) = heard(&server);
    server.send_to(b"answer", from).unwrap();
    assert_eq!(heard(&client).0, "answer");
    let map = MapOf::new(&v, 2).wears(&a, &["sg-a"]).wears(&b, &["sg-b"]);
    m.net()
        .apply(&map.group("sg-a", &[]).group("sg-b", &[]).0)
        .await
        .unwrap();
    say("two");
    assert_eq!(heard(&server).0, "two", "tracked");

    m.net().disconnect(&tb.net).await.unwrap();
    m.net().detach(&b.interface_id).await.unwrap();
    let map = MapOf::new(&v, 3).wears(&a, &["sg-a"]).wears(&next, &["sg-b"]);
    m.net()
        .apply(&map.group("sg-a", &[]).group("sg-b", &[]).0)
        .await
        .unwrap();
    let heir = m.start(&next, "heir").await;
    let server = udp(&heir.ns, (address(11), 5000));
    say("three");
    assert_eq!(
        received(&server),
        None,
        "the address's next owner gets nothing of it"
    );
}

/// As the user guide says of connection tracking: what is open to all both ways is not tracked and ends with its rule,
/// at once; what a narrower rule let in is, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_untracked_connection_ends_with_its_rule_and_a_tracked_one_goes_on() {
    use std::io::{Read as _, Write as _};
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let narrow = |protocol| Rule {
        protocol,
        peer: Peer::Cidr("172.31.0.10/32".parse().unwrap()),
    };
    let map = |generation, rules: &[Rule]| {
        let map = MapOf::new(&v, generation)
            .wears(&a, &["sg-a"])
            .wears(&b, &["sg-b"]);
        map.group("sg-a", &[]).group("sg-b", rules).0
    };
    let before = [
        anywhere(tcp(80)),
        narrow(tcp(81)),
        anywhere(Protocol::Udp { from: 82, to: 82 }),
    ];
    m.net().apply(&map(1, &before)).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    let connect = |port: u16| {
        let listener = inside(&tb.ns, || {
            std::net::TcpListener::bind((address(11), port)).unwrap()
        });
        let client = inside(&ta.ns, || {
            std::net::TcpStream::connect((address(11), port)).unwrap()
        });
        (client, listener.accept().unwrap().0)
    };
    let (mut open, mut tracked) = (connect(80), connect(81));
    let passes = |pair: &mut (std::net::TcpStream, std::net::TcpStream), patience| {
        let mut byte = [0];
        pair.1.set_read_timeout(Some(patience)).unwrap();
        pair.0.set_read_timeout(Some(patience)).unwrap();
        pair.0.write_all(b"x").is_ok()
            && pair.1.read_exact(&mut byte).is_ok()
            && pair.1.write_all(b"y").is_ok()
            && pair.0.read_exact(&mut byte).is_ok()
    };
    let server = udp(&tb.ns, (address(11), 82));
    let client = udp(&ta.ns, (address(10), 0));
    client.send_to(b"one", (address(11), 82)).unwrap();
    let (_, back) = heard(&server);
    assert!(passes(&mut open, LONG) && passes(&mut tracked, LONG));
    // Another rule comes: nothing ends.
    let more = [&before[..], &[anywhere(tcp(90))]].concat();
    m.net().apply(&map(2, &more)).await.unwrap();
    assert!(passes(&mut open, LONG) && passes(&mut tracked, LONG));
    m.net().apply(&map(3, &[])).await.unwrap();
    assert!(!passes(&mut open, PATIENCE), "at once");
    client.send_to(b"two", (address(11), 82)).unwrap();
    assert_eq!(received(&server), None, "at once");
    server.send_to(b"answer", back).unwrap();
    assert_eq!(received(&client), None, "the other way too");
    assert!(passes(&mut tracked, LONG), "tracked");
    m.net().apply(&map(4, &before)).await.unwrap();
    assert!(blocked(&ta.ns, address(11), 99) && passes(&mut tracked, LONG));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_with_a_name_that_is_no_id_changes_nothing() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let good = MapOf::new(&v, 1)
        .wears(&a, &["sg-a"])
        .wears(&b, &["sg-a"])
        .group("sg-a", &[anywhere(tcp(80))]);
    m.net().apply(&good.0).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    serve(&tb.ns, 80);
    let evil = "sg-a; flush ruleset";
    let bad = MapOf::new(&v, 2)
        .wears(&a, &[evil])
        .wears(&b, &[evil])
        .group(evil, &[]);
    assert!(matches!(m.net().apply(&bad.0).await, Err(Error::Invalid(_))));
    assert!(reaches(&ta.ns, address(11), 80), "the earlier map is in force");
    m.net()
        .apply(&MapOf::new(&v, 2).wears(&a, &[]).wears(&b, &[]).0)
        .await
        .unwrap();
    assert!(blocked(&ta.ns, address(11), 80), "no group, no traffic");
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_never_pauses_and_never_opens_while_rules_change() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let map = |generation, extra: u16| {
        let rules = [anywhere(tcp(80)), anywhere(tcp(extra))];
        MapOf::new(&v, generation)
            .wears(&a, &["sg-a"])
            .wears(&b, &["sg-a"])
            .group("sg-a", &rules)
            .0
    };
    m.net().apply(&map(1, 1000)).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    serve(&tb.ns, 80);
    serve(&tb.ns, 81);
    let ns = ta.ns.clone();
    let caller = tokio::task::spawn_blocking(move || {
        let mut calls = (0, 0);
        for _ in 0..150 {
            calls.0 += usize::from(blocked(&ns, address(11), 80));
            // Closed throughout: one SYN into a drop, not waited for.
            let socket = inside(&ns, || {
                std::net::TcpStream::connect_timeout(
                    &(address(11), 81).into(),
                    std::time::Duration::from_millis(5),
                )
            });
            calls.1 += usize::from(socket.is_ok());
        }
        calls
    });
    let mut generation = 2;
    while !caller.is_finished() && generation < 4000 {
        let step = map(generation, 1000 + (generation % 50) as u16);
        // Every fourth is a replacement of the whole.
        m.net().apply(&step).await.unwrap();
        if generation % 4 == 0 {
            m.net().apply(&step).await.unwrap();
        }
        generation += 1;
    }
    assert_eq!(caller.await.unwrap(), (0, 0), "after {generation} maps");
    assert!(generation > 20);
}
