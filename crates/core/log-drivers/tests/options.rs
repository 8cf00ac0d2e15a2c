//! What options mean, and what is refused in which words.

use std::collections::BTreeMap;
use std::time::Duration;

use roadstead_log_drivers::{Address, Compression, Driver, Facts, Fluentd, Format, Gelf, Sender, Syslog};

fn read(driver: &str, options: &[(&str, &str)]) -> Result<Driver, String> {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let read = Driver::read(driver, &options).map_err(|fault| fault.to_string())?;
    Ok(read.expect("one of these drivers"))
}

fn syslog(options: &[(&str, &str)]) -> Syslog {
    match read("syslog", options).expect("taken") {
        Driver::Syslog(syslog) => syslog,
        other => panic!("{other:?}"),
    }
}

fn fluentd(options: &[(&str, &str)]) -> Fluentd {
    match read("fluentd", options).expect("taken") {
        Driver::Fluentd(fluentd) => fluentd,
        other => panic!("{other:?}"),
    }
}

fn gelf(options: &[(&str, &str)]) -> Gelf {
    let address = ("gelf-address", "udp://h:1");
    let mut all = vec![address];
    all.extend(options);
    match read("gelf", &all).expect("taken") {
        Driver::Gelf(gelf) => gelf,
        other => panic!("{other:?}"),
    }
}

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn udp(host: &str, port: u16) -> Address {
    Address::Udp {
        host: host.to_owned(),
        port,
    }
}

#[test]
fn what_is_not_said_is_as_docker_has_it() {
    let plain = syslog(&[]);
    assert_eq!(
        (&plain.address, plain.facility, plain.format),
        (&Address::Local, 3, Format::Unix)
    );
    let plain = fluentd(&[]);
    assert_eq!(plain.address, tcp("127.0.0.1", 24224));
    assert_eq!(
        (
            plain.background,
            plain.precise,
            plain.acknowledged,
            plain.events,
            plain.reconnect
        ),
        (false, false, false, None, None)
    );
    assert_eq!(
        (plain.retry_wait, plain.max_retries),
        (Duration::from_secs(1), u32::MAX)
    );
    let plain = gelf(&[]);
    assert_eq!(
        (plain.compression, plain.level, plain.max_reconnect),
        (Compression::Gzip, 1, None)
    );
    assert_eq!(plain.reconnect_delay, Duration::from_secs(1));
    assert_eq!(Driver::read("json-file", &BTreeMap::new()), Ok(None));
    assert_eq!(Driver::read("awslogs", &BTreeMap::new()), Ok(None));
}

#[test]
fn addresses_are_read() {
    let path = |path: &str| path.to_owned();
    for (text, wanted) in [
        ("udp://h", udp("h", 514)),
        ("udp://h:1514", udp("h", 1514)),
        ("tcp://10.0.0.1", tcp("10.0.0.1", 514)),
        ("tcp://[::1]:99", tcp("::1", 99)),
        ("tcp://[::1]", tcp("::1", 514)),
        ("tcp://:99", tcp("localhost", 99)),
        ("unix:///run/s.sock", Address::Unix(path("/run/s.sock"))),
        ("unixgram:///dev/log", Address::Unixgram(path("/dev/log"))),
    ] {
        assert_eq!(syslog(&[("syslog-address", text)]).address, wanted, "{text}");
    }
    for (text, wanted) in [
        ("h", tcp("h", 24224)),
        ("h:1", tcp("h", 1)),
        ("tcp://h:1", tcp("h", 1)),
        (":1", tcp("127.0.0.1", 1)),
        ("unix:///run/f.sock", Address::Unix(path("/run/f.sock"))),
    ] {
        assert_eq!(fluentd(&[("fluentd-address", text)]).address, wanted, "{text}");
    }
    for (text, wanted) in [("udp://h:1", udp("h", 1)), ("tcp://h:2", tcp("h", 2))] {
        assert_eq!(gelf(&[("gelf-address", text)]).address, wanted, "{text}");
    }
    for (driver, option, bad) in [
        (
            "syslog",
            "syslog-address",
            &[
                "h:514",
                "http://h",
                "tcp://h:0",
                "tcp://h:x",
                "tcp://::1",
                "tcp://h:1/p",
                "unix://relative",
                "tcp://[x]:1",
                "tcp://a b",
            ][..],
        ),
        (
            "fluentd",
            "fluentd-address",
            &["udp://h", "unix://", "h:70000", "h:1/path", "h:1:2"][..],
        ),
        (
            "gelf",
            "gelf-address",
            &["h:1", "udp://h", "unix:///x", "tcp://", ""][..],
        ),
    ] {
        for text in bad {
            let why = read(driver, &[(option, text)]).expect_err(text);
            let words = format!("Log driver {driver} option '{option}' cannot be");
            assert!(why.starts_with(&words), "{text}: {why}");
        }
    }
}

#[test]
fn facilities_have_names_and_numbers() {
    for (text, wanted) in [
        ("kern", 0),
        ("daemon", 3),
        ("authpriv", 10),
        ("local0", 16),
        ("local7", 23),
        ("0", 0),
        ("23", 23),
    ] {
        assert_eq!(syslog(&[("syslog-facility", text)]).facility, wanted, "{text}");
    }
    for text in ["", "24", "-1", "nobody", "DAEMON"] {
        let why = read("syslog", &[("syslog-facility", text)]).expect_err(text);
        assert!(why.ends_with("invalid syslog facility"), "{why}");
    }
}

#[test]
fn every_option_is_read() {
    let all = fluentd(&[
        ("fluentd-address", "h:1"),
        ("fluentd-async", "true"),
        ("fluentd-async-reconnect-interval", "500"),
        ("fluentd-buffer-limit", "8192"),
        ("fluentd-retry-wait", "250ms"),
        ("fluentd-max-retries", "7"),
        ("fluentd-sub-second-precision", "true"),
        ("fluentd-request-ack", "1"),
        ("fluentd-write-timeout", "2s"),
        ("tag", "x"),
        ("labels", "a,b"),
        ("env-regex", "^E"),
        ("mode", "blocking"),
    ]);
    assert!(all.background && all.precise && all.acknowledged && !all.extras.is_empty());
    assert_eq!((all.events, all.max_retries), (Some(8192), 7));
    assert_eq!(all.reconnect, Some(Duration::from_millis(500)));
    assert_eq!(all.retry_wait, Duration::from_millis(250));
    assert_eq!(all.write_timeout, Some(Duration::from_secs(2)));
    assert!(
        fluentd(&[("fluentd-async-connect", "true")]).background,
        "its older name"
    );
    let packed = gelf(&[
        ("gelf-compression-type", "zlib"),
        ("gelf-compression-level", "-1"),
    ]);
    assert_eq!((packed.compression, packed.level), (Compression::Zlib, 0));
    let over_tcp = read(
        "gelf",
        &[
            ("gelf-address", "tcp://h:1"),
            ("gelf-tcp-max-reconnect", "2"),
            ("gelf-tcp-reconnect-delay", "3"),
        ],
    );
    let retry = over_tcp.expect("taken").retry();
    assert_eq!(
        (retry.tries, retry.after(1), retry.after(9)),
        (Some(3), Duration::from_secs(3), Duration::from_secs(3))
    );
    let retry = read("fluentd", &[("fluentd-retry-wait", "2s")])
        .expect("taken")
        .retry();
    let waits = [1, 2, 3, 100].map(|failed| retry.after(failed).as_millis());
    assert_eq!(waits, [2_000, 3_000, 4_500, 60_000]);
}

#[test]
fn what_would_have_no_effect_is_refused_by_name() {
    let gelf_udp = ("gelf-address", "udp://h:1");
    let gelf_tcp = ("gelf-address", "tcp://h:1");
    for (driver, options, words) in [
        (
            "syslog",
            &[("nonsense", "x")][..],
            "unknown log opt 'nonsense' for syslog log driver",
        ),
        (
            "fluentd",
            &[("syslog-address", "x")][..],
            "unknown log opt 'syslog-address' for fluentd log driver",
        ),
        (
            "gelf",
            &[gelf_udp, ("max-file", "3")][..],
            "unknown log opt 'max-file' for gelf log driver",
        ),
        ("gelf", &[][..], "Log driver gelf requires options: gelf-address"),
        (
            "syslog",
            &[("syslog-address", "tcp+tls://h")][..],
            "option 'syslog-address = tcp+tls' is not supported",
        ),
        (
            "syslog",
            &[("syslog-tls-ca-cert", "/x")][..],
            "option 'syslog-tls-ca-cert' is not supported",
        ),
        ("syslog", &[("env", "A")][..], "option 'env' is not supported"),
        (
            "syslog",
            &[("labels-regex", "A")][..],
            "option 'labels-regex' is not supported",
        ),
        (
            "syslog",
            &[("syslog-format", "rfc1")][..],
            "Invalid syslog format",
        ),
        (
            "fluentd",
            &[("fluentd-address", "tls://h")][..],
            "option 'fluentd-address = tls' is not supported",
        ),
        ("fluentd", &[("fluentd-async", "yes")][..], "it is true or false"),
        (
            "fluentd",
            &[("fluentd-async", "true"), ("fluentd-async-connect", "false")][..],
            "the older name of 'fluentd-async'",
        ),
        (
            "gelf",
            &[
                gelf_udp,
                ("gelf-compression-type", "none"),
                ("gelf-compression-level", "9"),
            ][..],
            "'gelf-compression-level' is only supported with a 'gelf-compression-type' that packs",
        ),
        (
            "fluentd",
            &[("fluentd-buffer-limit", "5")][..],
            "only supported with 'fluentd-async' = 'true'",
        ),
        (
            "fluentd",
            &[("fluentd-async-reconnect-interval", "500")][..],
            "only supported with 'fluentd-async'",
        ),
        (
            "fluentd",
            &[("fluentd-async", "1"), ("fluentd-async-reconnect-interval", "99")][..],
            "100 to 10000",
        ),
        (
            "fluentd",
            &[("fluentd-max-retries", "0")][..],
            "from 1 to 4294967295",
        ),
        ("fluentd", &[("fluentd-retry-wait", "1")][..], "it is a duration"),
        ("fluentd", &[("labels-regex", "(")][..], "unclosed group"),
        (
            "gelf",
            &[gelf_tcp, ("gelf-compression-type", "gzip")][..],
            "'gelf-compression-type' is only supported with UDP",
        ),
        (
            "gelf",
            &[gelf_udp, ("gelf-tcp-max-reconnect", "1")][..],
            "'gelf-tcp-max-reconnect' is only supported with TCP",
        ),
        (
            "gelf",
            &[gelf_udp, ("gelf-compression-level", "10")][..],
            "from -1 to 9",
        ),
        (
            "gelf",
            &[gelf_udp, ("gelf-compression-type", "lz4")][..],
            "it is gzip, zlib or none",
        ),
        (
            "syslog",
            &[("mode", "sometimes")][..],
            "it is blocking or non-blocking",
        ),
        (
            "syslog",
            &[("mode", "blocking"), ("max-buffer-size", "1m")][..],
            "only supported with 'mode' = 'non-blocking'",
        ),
        ("syslog", &[("max-buffer-size", "2g")][..], "up to 1g"),
        ("syslog", &[("tag", "{{.ID")][..], "a markup does not end"),
        (
            "syslog",
            &[("tag", "{{(.ExtraAttributes nil).X}}")][..],
            "is not supported by Roadstead yet",
        ),
    ] {
        let why = read(driver, options).expect_err(words);
        assert!(why.contains(words), "{options:?}: {why}");
    }
}

#[test]
fn tags_have_the_documented_markup() {
    let facts = Facts {
        id: "0123456789abcdef".to_owned(),
        name: "ecs-f-1-web".to_owned(),
        image_name: "busybox:1".to_owned(),
        image_id: "sha256:0011223344".to_owned(),
        ..Facts::default()
    };
    for (text, wanted) in [
        ("", "0123456789ab"),
        ("mailer", "mailer"),
        ("{{.ID}}", "0123456789ab"),
        ("{{ .FullID }}", "0123456789abcdef"),
        (
            "{{.ImageName}}/{{.Name}}/{{.ID}}",
            "busybox:1/ecs-f-1-web/0123456789ab",
        ),
        ("{{.ImageID}}", "sha256:00112"),
        ("a{{.ImageFullID}}b", "asha256:0011223344b"),
        ("{{.DaemonName}}}", "docker}"),
    ] {
        assert_eq!(syslog(&[("tag", text)]).tag.of(&facts), wanted, "{text}");
    }
    // One that no receiver is asked for twice.
    let encoder = read("syslog", &[("tag", "{{.Name}}")])
        .expect("taken")
        .encoder(facts, Sender::default());
    let record = roadstead_log_drivers::Record {
        bytes: b"x".to_vec(),
        ..Default::default()
    };
    let piece = encoder.encode(&record).pieces.remove(0);
    assert!(String::from_utf8_lossy(&piece).contains(" ecs-f-1-web[0]: x\n"));
}

#[test]
fn without_any_wait_there_is_a_short_one() {
    let wait = |driver: &str, options: &[(&str, &str)]| {
        let options = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let driver = Driver::read(driver, &options.collect())
            .expect("valid")
            .expect("one of these");
        driver.retry().after(1).as_millis()
    };
    assert_eq!(
        wait("fluentd", &[("fluentd-retry-wait", "0s")]),
        wait("fluentd", &[])
    );
    assert_eq!(wait("fluentd", &[("fluentd-retry-wait", "1ms")]), 1);
    let tcp = ("gelf-address", "tcp://h:1");
    assert_eq!(wait("gelf", &[tcp, ("gelf-tcp-reconnect-delay", "0")]), 100);
    assert_eq!(wait("gelf", &[tcp]), 1000);
}
