//! The bytes that lines become.

use std::collections::BTreeMap;
use std::io::Read as _;

use proptest::prelude::*;
use roadstead_log_drivers::{About, Driver, Fluentd, Gelf, Line, Options, Syslog};

fn options(driver: &str, options: &[(&str, &str)]) -> Driver {
    let options: BTreeMap<String, String> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let read = Options::read(driver, &options).expect("a driver");
    read.expect("options").driver
}

fn syslog(more: &[(&str, &str)]) -> Syslog {
    match options("syslog", more) {
        Driver::Syslog(syslog) => syslog,
        other => panic!("{other:?}"),
    }
}

fn fluentd(more: &[(&str, &str)]) -> Fluentd {
    match options("fluentd", more) {
        Driver::Fluentd(fluentd) => fluentd,
        other => panic!("{other:?}"),
    }
}

fn gelf(more: &[(&str, &str)]) -> Gelf {
    match options("gelf", more) {
        Driver::Gelf(gelf) => gelf,
        other => panic!("{other:?}"),
    }
}

fn about() -> About {
    About {
        id: "0123456789abcdef".into(),
        name: "app".into(),
        image: "busybox".into(),
        hostname: "host".into(),
        pid: 7,
    }
}

fn line(text: &str, stderr: bool) -> Line {
    // 2023-11-14T22:13:20.123Z
    Line {
        time: 1_700_000_000_123,
        stderr,
        text: text.to_owned(),
    }
}

#[test]
fn syslog_messages_have_the_form_that_was_asked_for() {
    for (more, stderr, wanted) in [
        (&[][..], false, "<30>Nov 14 22:13:20 0123456789ab[7]: hello\n"),
        (&[], true, "<27>Nov 14 22:13:20 0123456789ab[7]: hello\n"),
        (
            &[
                ("syslog-format", "rfc3164"),
                ("syslog-facility", "local0"),
                ("tag", "{{.Name}}"),
            ],
            false,
            "<134>Nov 14 22:13:20 host app[7]: hello\n",
        ),
        (
            &[
                ("syslog-format", "rfc5424"),
                ("syslog-facility", "1"),
                ("tag", "t"),
            ],
            true,
            "<11>1 2023-11-14T22:13:20Z host t 7 t - hello\n",
        ),
        (
            &[("syslog-format", "rfc5424micro"), ("tag", "t")],
            false,
            "<30>1 2023-11-14T22:13:20.123000Z host t 7 t - hello\n",
        ),
    ] {
        let message = syslog(more).message(&about(), &line("hello", stderr));
        assert_eq!(String::from_utf8_lossy(&message), wanted, "{more:?}");
    }
    let message = syslog(&[]).message(&about(), &line("two\nlines", false));
    assert!(message.ends_with(b": two\\nlines\n"), "one message to an event");
}

#[test]
fn fluentd_entries_are_what_the_protocol_says() {
    let entry = fluentd(&[("tag", "t")]).entry(&about(), &line("hello", true), "c");
    let mut wanted = vec![0x93, 0xa1, b't', 0xd3];
    wanted.extend(1_700_000_000_i64.to_be_bytes());
    wanted.push(0x84);
    for text in [
        "container_id",
        "0123456789abcdef",
        "container_name",
        "/app",
        "source",
        "stderr",
        "log",
        "hello",
    ] {
        wanted.push(0xa0 | u8::try_from(text.len()).expect("short"));
        wanted.extend(text.as_bytes());
    }
    assert_eq!(entry, wanted);
    let precise = [
        ("fluentd-sub-second-precision", "true"),
        ("fluentd-request-ack", "true"),
        ("tag", "t"),
    ];
    let entry = fluentd(&precise).entry(&about(), &line("hello", false), "abc");
    assert_eq!(entry[0], 0x94);
    assert_eq!(&entry[3..5], [0xd7, 0]);
    assert!(entry.ends_with(b"\x81\xa5chunk\xa3abc"));
    let answer = b"\x81\xa3ack\xa3abc\x81";
    assert_eq!(Fluentd::acknowledgement(answer), Some(("abc".to_owned(), 9)));
    assert_eq!(Fluentd::acknowledgement(&answer[..8]), None);
}

#[test]
fn gelf_messages_come_whole_through_chunks_and_compression() {
    let long: String = (0..20_000u32)
        .map(|n| char::from(b'a' + u8::try_from(n * n % 26).expect("a letter")))
        .collect();
    for (kind, text) in [
        ("gzip", "hello"),
        ("zlib", "hello"),
        ("none", "hello"),
        ("none", &long),
    ] {
        let driver = gelf(&[
            ("gelf-address", "udp://h:1"),
            ("gelf-compression-type", kind),
            ("tag", "{{.Name}}"),
        ]);
        let datagrams = driver.datagrams(&about(), &line(text, true), [9; 8]);
        let mut whole = Vec::new();
        let many = datagrams.len();
        for (number, datagram) in datagrams.iter().enumerate() {
            assert!(datagram.len() <= 1420);
            if many > 1 {
                assert_eq!(datagram[..10], [0x1e, 0x0f, 9, 9, 9, 9, 9, 9, 9, 9]);
                assert_eq!(
                    (usize::from(datagram[10]), usize::from(datagram[11])),
                    (number, many)
                );
                whole.extend_from_slice(&datagram[12..]);
            } else {
                whole.extend_from_slice(datagram);
            }
        }
        let mut plain = Vec::new();
        match kind {
            "gzip" => flate2::read::GzDecoder::new(&*whole).read_to_end(&mut plain),
            "zlib" => flate2::read::ZlibDecoder::new(&*whole).read_to_end(&mut plain),
            _ => whole.as_slice().read_to_end(&mut plain),
        }
        .expect("reads");
        let message: serde_json::Value = serde_json::from_slice(&plain).expect("JSON");
        assert_eq!(message["short_message"], text);
        assert_eq!((&message["level"], &message["host"]), (&3.into(), &"host".into()));
        assert_eq!(message["timestamp"], 1_700_000_000.123);
        assert_eq!(
            (&message["_tag"], &message["_container_name"]),
            (&"app".into(), &"app".into())
        );
    }
    let plain = gelf(&[("gelf-address", "udp://h:1"), ("gelf-compression-type", "none")]);
    assert!(
        plain
            .datagrams(&about(), &line(&"x".repeat(200_000), false), [0; 8])
            .is_empty(),
        "too many chunks"
    );
    let tcp = gelf(&[("gelf-address", "tcp://h:1")]).framed(&about(), &line("hello", false));
    assert_eq!(tcp.last(), Some(&0));
    assert_eq!(tcp.iter().filter(|byte| **byte == 0).count(), 1);
}

#[test]
fn options_are_read_or_refused_by_name() {
    for (driver, option, value, words) in [
        ("syslog", "syslog-address", "ftp://x", "the scheme ftp is none of"),
        (
            "syslog",
            "syslog-address",
            "tcp+tls://x:1",
            "the scheme tcp+tls is none of",
        ),
        ("syslog", "syslog-facility", "24", "a facility's name"),
        (
            "syslog",
            "syslog-format",
            "rfc1",
            "rfc3164, rfc5424 or rfc5424micro",
        ),
        (
            "syslog",
            "syslog-tls-cert",
            "/x",
            "not supported by Roadstead yet",
        ),
        ("syslog", "labels", "a", "not supported by Roadstead yet"),
        (
            "syslog",
            "max-size",
            "1m",
            "Log driver syslog disallows options: max-size",
        ),
        ("syslog", "tag", "{{.ImageID}}", "none of .ID"),
        ("syslog", "mode", "some", "blocking or non-blocking"),
        ("syslog", "max-buffer-size", "2g", "up to"),
        ("fluentd", "fluentd-address", "udp://x:1", "tcp:// or unix://"),
        ("fluentd", "fluentd-async", "yes", "true or false"),
        ("fluentd", "fluentd-retry-wait", "1x", "a time such as"),
        ("fluentd", "fluentd-retry-wait", "2h", "up to an hour"),
        (
            "fluentd",
            "fluentd-buffer-limit",
            "1m",
            "not supported by Roadstead yet",
        ),
        (
            "fluentd",
            "gelf-address",
            "udp://x:1",
            "disallows options: gelf-address",
        ),
        (
            "gelf",
            "tag",
            "x",
            "Log driver gelf requires options: gelf-address",
        ),
        ("gelf", "gelf-address", "unix:///x", "udp:// or tcp://"),
        ("gelf", "gelf-address", "udp://", "there is no host"),
    ] {
        let options = BTreeMap::from([(option.to_owned(), value.to_owned())]);
        let fault = Options::read(driver, &options)
            .expect("a driver")
            .expect_err(option);
        assert!(fault.to_string().contains(words), "{option}: {fault}");
    }
    let both = BTreeMap::from([
        ("gelf-address".to_owned(), "tcp://x:1".to_owned()),
        ("gelf-compression-type".to_owned(), "gzip".to_owned()),
    ]);
    assert!(Options::read("gelf", &both).expect("a driver").is_err());
    let both = BTreeMap::from([
        ("mode".to_owned(), "blocking".to_owned()),
        ("max-buffer-size".to_owned(), "1m".to_owned()),
    ]);
    assert!(Options::read("syslog", &both).expect("a driver").is_err());
    assert!(Options::read("splunk", &BTreeMap::new()).is_none());
}

proptest! {
    #[test]
    fn no_line_makes_a_driver_fail(text in ".{0,400}", time in any::<i64>(), stderr: bool) {
        let line = Line { time, stderr, text };
        for format in ["rfc3164", "rfc5424", "rfc5424micro"] {
            let message = syslog(&[("syslog-format", format)]).message(&about(), &line);
            prop_assert_eq!(message.iter().filter(|byte| **byte == b'\n').count(), 1);
        }
        fluentd(&[]).entry(&about(), &line, "c");
        let sub_second = fluentd(&[("fluentd-sub-second-precision", "true")]);
        sub_second.entry(&about(), &line, "c");
        let message = gelf(&[("gelf-address", "tcp://h:1")]).framed(&about(), &line);
        let object: serde_json::Value = serde_json::from_slice(&message[..message.len() - 1]).expect("JSON");
        prop_assert_eq!(object["short_message"].as_str(), Some(line.text.as_str()));
    }

    #[test]
    fn no_acknowledgement_makes_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Some((_, length)) = Fluentd::acknowledgement(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }
}
