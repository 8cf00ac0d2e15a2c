//! What goes over the wire: by tables for the forms, and read back for any lines.

use std::collections::BTreeMap;
use std::io::Read;

use proptest::prelude::*;
use roadstead_log_drivers::{Ack, Driver, Encoder, Facts, MAX_HELD, Message, Part, Parts, Record, Sender};

fn facts() -> Facts {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect()
    };
    Facts {
        id: "0123456789abcdef".to_owned(),
        name: "ecs-f-1-web".to_owned(),
        image_name: "busybox".to_owned(),
        image_id: "sha256:0011".to_owned(),
        command: "sh -c x".to_owned(),
        created: "2026-01-02T03:04:05.678Z".to_owned(),
        labels: map(&[("team", "blue"), ("_own", "1"), ("both", "label")]),
        environment: map(&[
            ("ENV_A", "a"),
            ("ENV_B", "b"),
            ("OTHER", "o"),
            ("both", "variable"),
        ]),
    }
}

fn encoder(driver: &str, options: &[(&str, &str)]) -> Encoder {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let driver = Driver::read(driver, &options)
        .expect("taken")
        .expect("one of these");
    let sender = Sender {
        host: "node1".to_owned(),
        pid: 42,
    };
    driver.encoder(facts(), sender)
}

fn record(text: &[u8]) -> Record {
    Record {
        // 2026-01-02T03:04:05.678Z
        time: 1_767_323_045_678,
        stderr: false,
        bytes: text.to_vec(),
        id: *b"\0\0\0\0\0\0\0\x2a",
        part: None,
    }
}

fn one(message: Message) -> Vec<u8> {
    let mut pieces = message.pieces;
    assert_eq!(pieces.len(), 1);
    pieces.remove(0)
}

#[test]
fn syslog_has_four_forms() {
    let errors = Record {
        stderr: true,
        ..record(b"hello")
    };
    for (format, wanted, wrong) in [
        (
            "",
            "<30>Jan  2 03:04:05 t[42]: hello\n",
            "<27>Jan  2 03:04:05 t[42]: hello\n",
        ),
        (
            "rfc3164",
            "<30>Jan  2 03:04:05 node1 t[42]: hello\n",
            "<27>Jan  2 03:04:05 node1 t[42]: hello\n",
        ),
        (
            "rfc5424",
            "<30>1 2026-01-02T03:04:05Z node1 t 42 t - hello\n",
            "<27>1 2026-01-02T03:04:05Z node1 t 42 t - hello\n",
        ),
        (
            "rfc5424micro",
            "<30>1 2026-01-02T03:04:05.678000Z node1 t 42 t - hello\n",
            "<27>1 2026-01-02T03:04:05.678000Z node1 t 42 t - hello\n",
        ),
    ] {
        let encoder = encoder("syslog", &[("syslog-format", format), ("tag", "t")]);
        let text = |record: &Record| String::from_utf8(one(encoder.encode(record))).expect("text");
        assert_eq!(text(&record(b"hello")), wanted);
        assert_eq!(text(&errors), wrong);
        assert!(
            encoder.encode(&record(b"")).pieces.is_empty(),
            "an empty line is nothing to syslog"
        );
    }
    let local = encoder("syslog", &[("syslog-facility", "local7"), ("tag", "t")]);
    assert!(one(local.encode(&record(b"x"))).starts_with(b"<190>"));
}

/// As much of MessagePack as there can be in an event.
#[derive(Clone, Debug, PartialEq)]
enum Packed {
    Integer(i64),
    Text(Vec<u8>),
    Array(Vec<Packed>),
    Map(Vec<(Packed, Packed)>),
    Time(u32, u32),
}

fn unpack(bytes: &mut &[u8]) -> Packed {
    let take = |bytes: &mut &[u8], count: usize| -> Vec<u8> {
        let (taken, rest) = bytes.split_at(count);
        *bytes = rest;
        taken.to_vec()
    };
    let number = |bytes: &mut &[u8], count: usize| {
        take(bytes, count)
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let head = take(bytes, 1)[0];
    let (array, map, text) = match head {
        0x00..=0x7f => return Packed::Integer(i64::from(head)),
        0xce => return Packed::Integer(number(bytes, 4) as i64),
        0xd3 => return Packed::Integer(number(bytes, 8) as i64),
        0xd7 => {
            assert_eq!(take(bytes, 1), [0], "the type of times");
            return Packed::Time(number(bytes, 4) as u32, number(bytes, 4) as u32);
        }
        0x90..=0x9f => (Some(u64::from(head & 15)), None, None),
        0x80..=0x8f => (None, Some(u64::from(head & 15)), None),
        0xde => (None, Some(number(bytes, 2)), None),
        0xa0..=0xbf => (None, None, Some(u64::from(head & 31))),
        0xd9 => (None, None, Some(number(bytes, 1))),
        0xda => (None, None, Some(number(bytes, 2))),
        0xdb => (None, None, Some(number(bytes, 4))),
        other => panic!("{other:x}"),
    };
    if let Some(count) = array {
        return Packed::Array((0..count).map(|_| unpack(bytes)).collect());
    }
    if let Some(count) = map {
        return Packed::Map((0..count).map(|_| (unpack(bytes), unpack(bytes))).collect());
    }
    Packed::Text(take(bytes, text.expect("a text") as usize))
}

fn text(text: &str) -> Packed {
    Packed::Text(text.as_bytes().to_vec())
}

fn unpacked(message: Message) -> Vec<Packed> {
    let bytes = one(message);
    let mut rest = bytes.as_slice();
    let Packed::Array(items) = unpack(&mut rest) else {
        panic!("an array is expected");
    };
    assert!(rest.is_empty());
    items
}

fn pairs(packed: &Packed) -> BTreeMap<String, Vec<u8>> {
    let Packed::Map(pairs) = packed else {
        panic!("{packed:?}");
    };
    let read = pairs.iter().map(|(name, value)| match (name, value) {
        (Packed::Text(name), Packed::Text(value)) => {
            (String::from_utf8_lossy(name).into_owned(), value.clone())
        }
        other => panic!("{other:?}"),
    });
    let all: BTreeMap<_, _> = read.collect();
    assert_eq!(all.len(), pairs.len(), "no name twice");
    all
}

#[test]
fn an_event_says_whose_it_is() {
    let plain = unpacked(encoder("fluentd", &[]).encode(&record(b"hello")));
    assert_eq!(plain[..2], [text("0123456789ab"), Packed::Integer(1_767_323_045)]);
    assert_eq!(plain.len(), 3);
    let expected = [
        ("container_id", "0123456789abcdef"),
        ("container_name", "/ecs-f-1-web"),
        ("source", "stdout"),
        ("log", "hello"),
    ];
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    assert_eq!(pairs(&plain[2]), expected);
    let more = encoder(
        "fluentd",
        &[
            ("tag", "docker.{{.Name}}"),
            ("fluentd-sub-second-precision", "true"),
            ("labels", "team,both,absent"),
            ("env-regex", "^ENV_|both"),
        ],
    );
    let second = Part {
        line: 7,
        ordinal: 2,
        last: true,
    };
    let more = unpacked(more.encode(&Record {
        stderr: true,
        part: Some(second),
        ..record(b"\xff")
    }));
    assert_eq!(
        more[..2],
        [
            text("docker.ecs-f-1-web"),
            Packed::Time(1_767_323_045, 678_000_000)
        ]
    );
    let got = pairs(&more[2]);
    for (name, value) in [
        ("source", &b"stderr"[..]),
        ("log", b"\xff"),
        ("team", b"blue"),
        ("both", b"variable"),
        ("ENV_A", b"a"),
        ("ENV_B", b"b"),
        ("partial_message", b"true"),
        ("partial_id", b"0000000000000007"),
        ("partial_ordinal", b"2"),
        ("partial_last", b"true"),
    ] {
        assert_eq!(got.get(name).map(Vec::as_slice), Some(value), "{name}");
    }
    assert_eq!(got.len(), 12, "and nothing else: {got:?}");
}

#[test]
fn acknowledgements_name_what_was_sent() {
    let message = encoder("fluentd", &[("fluentd-request-ack", "true")]).encode(&record(b"x"));
    let id = message.acknowledged.expect("to be acknowledged");
    let items = unpacked(message);
    let chunk = pairs(&items[3])["chunk"].clone();
    let mut answer = vec![0x81, 0xa3];
    answer.extend_from_slice(b"ack");
    answer.push(0xa0 | chunk.len() as u8);
    answer.extend_from_slice(&chunk);
    let twice = [answer.clone(), answer.clone()].concat();
    for cut in 0..twice.len() {
        let mut ack = Ack::default();
        let mut got = ack.push(&twice[..cut]).expect("a beginning");
        got.extend(ack.push(&twice[cut..]).expect("the rest"));
        assert_eq!(got, [id, id], "{cut}");
    }
    for bad in [
        &[0x90][..],
        &[0x81, 0xa1, b'x', 0xa1, b'y'],
        &[0x81, 0x01],
        &[0x81, 0xa3, b'a', b'c', b'k', 0xa1, b'z'],
    ] {
        assert!(Ack::default().push(bad).is_err(), "{bad:?}");
    }
}

fn document(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn a_document_says_whose_it_is() {
    let options = [
        ("gelf-address", "tcp://h:1"),
        ("labels", "team,_own"),
        ("env", "ENV_A"),
        ("tag", "t"),
    ];
    let over_tcp = encoder("gelf", &options);
    let bytes = one(over_tcp.encode(&Record {
        stderr: true,
        ..record(b"h\xffi")
    }));
    let (end, bytes) = bytes.split_last().expect("bytes");
    assert_eq!(*end, 0);
    assert_eq!(
        document(bytes),
        serde_json::json!({
            "version": "1.1", "host": "node1", "short_message": "h\u{fffd}i", "timestamp": 1_767_323_045.678, "level": 3,
            "_container_id": "0123456789abcdef", "_container_name": "ecs-f-1-web", "_image_id": "sha256:0011",
            "_image_name": "busybox", "_command": "sh -c x", "_tag": "t", "_created": "2026-01-02T03:04:05.678Z",
            "_team": "blue", "_own": "1", "_ENV_A": "a",
        })
    );
    assert!(
        over_tcp.encode(&record(b"")).pieces.is_empty(),
        "a document has a text"
    );
}

/// Puts datagrams together again, as a receiver does.
fn joined(pieces: &[Vec<u8>]) -> Vec<u8> {
    assert!(pieces.iter().all(|piece| piece.len() <= 8192));
    if let [whole] = pieces {
        return whole.clone();
    }
    let mut all = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        assert_eq!(piece[..2], [0x1e, 0x0f]);
        assert_eq!(piece[2..10], pieces[0][2..10], "of one message");
        assert_eq!(piece[10..12], [index as u8, pieces.len() as u8]);
        all.extend_from_slice(&piece[12..]);
    }
    all
}

fn plain(bytes: &[u8], compression: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match compression {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
        "zlib" => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut out),
        _ => Read::read_to_end(&mut &*bytes, &mut out),
    }
    .expect("unpacked");
    out
}

proptest! {
    #[test]
    fn no_line_and_no_answer_make_a_driver_fail(
        line in proptest::collection::vec(any::<u8>(), 0..200),
        time in any::<i64>(),
        answer in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        for (driver, options) in [
            ("syslog", &[("syslog-format", "rfc5424")][..]),
            ("syslog", &[][..]),
            ("fluentd", &[("fluentd-sub-second-precision", "true")][..]),
            ("gelf", &[("gelf-address", "udp://h:1")][..]),
            ("gelf", &[("gelf-address", "tcp://h:1")][..]),
        ] {
            encoder(driver, options).encode(&Record { time, ..record(&line) });
        }
        let _ = Ack::default().push(&answer);
    }

    #[test]
    fn any_line_comes_back_from_datagrams(
        line in prop_oneof![
            proptest::collection::vec(any::<u8>().prop_filter("no line break", |byte| *byte != b'\n'), 1..300),
            (1..16_384_usize, any::<u8>()).prop_map(|(count, byte)| vec![if byte == b'\n' { 0 } else { byte }; count]),
        ],
        compression in prop_oneof![Just("gzip"), Just("zlib"), Just("none")],
        level in prop_oneof![Just("-1"), Just("0"), Just("1"), Just("9")],
    ) {
        let mut options = vec![("gelf-address", "udp://h:1"), ("gelf-compression-type", compression)];
        options.extend((compression != "none").then_some(("gelf-compression-level", level)));
        let pieces = encoder("gelf", &options).encode(&record(&line)).pieces;
        prop_assert!(!pieces.is_empty());
        let read = document(&plain(&joined(&pieces), compression));
        prop_assert_eq!(read["short_message"].as_str(), Some(&*String::from_utf8_lossy(&line)));
    }

    #[test]
    fn any_line_comes_back_from_an_event(
        line in proptest::collection::vec(any::<u8>(), 0..70_000),
        time in 0..4_000_000_000_000_i64,
        precise in any::<bool>(),
    ) {
        let encoder = encoder("fluentd", &[("fluentd-sub-second-precision", if precise { "true" } else { "false" })]);
        let items = unpacked(encoder.encode(&Record { time, ..record(&line) }));
        prop_assert_eq!(&pairs(&items[2])["log"], &line);
        let (seconds, rest) = (time / 1000, time % 1000 * 1_000_000);
        let wanted = if precise { Packed::Time(seconds as u32, rest as u32) } else { Packed::Integer(seconds) };
        prop_assert_eq!(&items[1], &wanted);
    }

    #[test]
    fn parts_are_numbered_as_they_were_before_a_restart(
        records in proptest::collection::vec((any::<bool>(), any::<bool>(), 1..MAX_HELD / 4), 1..60),
        cut in any::<proptest::sample::Index>(),
    ) {
        let follow = |from: usize| {
            let mut parts = Parts::default();
            let mut seen = Vec::new();
            for (at, (stderr, partial, bytes)) in records.iter().enumerate().skip(from) {
                let (part, safe) = parts.push(*stderr, *partial, *bytes, at, at + 1, at as u64);
                prop_assert!(safe <= at + 1);
                seen.push((at, part, safe));
            }
            Ok(seen)
        };
        let first = follow(0)?;
        let mut last = 0;
        for (_, _, safe) in &first {
            prop_assert!(*safe >= last, "what is safe stays safe");
            last = *safe;
        }
        let stopped = cut.get(&first);
        let again = follow(stopped.2)?;
        let held = |at: usize| -> bool {
            // Of lines that are so long that they are not held, parts may be numbered anew.
            first[..=at].iter().filter_map(|(_, part, _)| part.as_ref()).all(|part| {
                let of_line = first.iter().filter(|(_, other, _)| other.as_ref().is_some_and(|other| other.line == part.line));
                of_line.map(|(at, _, _)| records[*at].2).sum::<u64>() <= MAX_HELD
            })
        };
        if held(stopped.0) {
            for (at, part, _) in &again {
                prop_assert_eq!(part, &first[*at].1);
            }
        }
    }
}
