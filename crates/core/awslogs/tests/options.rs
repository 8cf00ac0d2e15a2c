//! Which options are taken, in which words others are refused, and where lines go.

use std::collections::BTreeMap;

use roadstead_awslogs::{Mode, Options};

const NEEDED: [(&str, &str); 2] = [("awslogs-group", "/ecs/web"), ("awslogs-region", "us-east-1")];

fn read(more: &[(&str, &str)]) -> Result<Options, String> {
    let all: BTreeMap<String, String> = NEEDED
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Options::read(&all).map_err(|fault| fault.to_string())
}

#[test]
fn options_are_taken_as_documented() {
    let plain = read(&[]).expect("all that is required");
    assert_eq!(
        (plain.group.as_str(), plain.region.as_str()),
        ("/ecs/web", "us-east-1")
    );
    assert_eq!(
        (plain.delivery.mode, plain.delivery.buffer),
        (Mode::NonBlocking, 10 << 20)
    );
    assert!(!plain.create_group && plain.start.is_none() && plain.stream_prefix.is_none());
    let all = read(&[
        ("awslogs-stream-prefix", "web"),
        ("awslogs-create-group", "true"),
        ("awslogs-multiline-pattern", "^INFO"),
        ("mode", "non-blocking"),
        ("max-buffer-size", "25m"),
    ])
    .expect("all that there is");
    assert!(all.create_group && all.start.is_some());
    assert_eq!(
        (all.delivery.mode, all.delivery.buffer),
        (Mode::NonBlocking, 25 << 20)
    );
    assert_eq!(
        read(&[("mode", "blocking")]).expect("taken").delivery.mode,
        Mode::Blocking
    );
    for (text, bytes) in [("4096", 4096), ("64k", 65_536), ("1MB", 1 << 20), ("1g", 1 << 30)] {
        assert_eq!(
            read(&[("max-buffer-size", text)]).expect(text).delivery.buffer,
            bytes,
            "{text}"
        );
    }
}

#[test]
fn options_are_refused_by_name() {
    for (name, value, why) in [
        (
            "awslogs-group",
            "",
            "option 'awslogs-group' should not be null or empty.",
        ),
        ("awslogs-group", "a b", "option 'awslogs-group' cannot be"),
        (
            "awslogs-region",
            "",
            "option 'awslogs-region' should not be null or empty.",
        ),
        (
            "awslogs-stream-prefix",
            "",
            "option 'awslogs-stream-prefix' should not be null or empty.",
        ),
        (
            "awslogs-stream-prefix",
            "a:b",
            "option 'awslogs-stream-prefix' cannot be",
        ),
        (
            "awslogs-create-group",
            "false",
            "should only be set to 'true', else omit option.",
        ),
        ("awslogs-datetime-format", "%Q", "%Q is not one of its specifiers"),
        ("awslogs-datetime-format", "%Y%", "it ends within a specifier"),
        ("awslogs-datetime-format", "[%Y", "unclosed character class"),
        ("awslogs-multiline-pattern", "(", "unclosed group"),
        ("mode", "sometimes", "it is blocking or non-blocking"),
        ("max-buffer-size", "0", "option 'max-buffer-size' cannot be"),
        ("max-buffer-size", "2g", "option 'max-buffer-size' cannot be"),
        ("max-buffer-size", "-1m", "option 'max-buffer-size' cannot be"),
        (
            "awslogs-format",
            "json/emf",
            "'awslogs-format' is not supported by Roadstead yet.",
        ),
        (
            "awslogs-endpoint",
            "https://x",
            "'awslogs-endpoint' is not supported by Roadstead yet.",
        ),
        ("max-size", "1m", "Log driver awslogs disallows options: max-size"),
        (
            "awslogs-stream",
            "x",
            "Log driver awslogs disallows options: awslogs-stream",
        ),
    ] {
        let refused = read(&[(name, value)]).expect_err(name);
        assert!(refused.contains(why), "{name}={value}: {refused}");
    }
    let words = "Log driver awslogs requires options: awslogs-region, awslogs-group";
    assert_eq!(
        Options::read(&BTreeMap::new()).expect_err("none").to_string(),
        words
    );
    let both = [
        ("awslogs-datetime-format", "%Y"),
        ("awslogs-multiline-pattern", "^x"),
    ];
    assert!(
        read(&both)
            .expect_err("both")
            .contains("cannot both be configured")
    );
    let both = [("mode", "blocking"), ("max-buffer-size", "1m")];
    assert!(read(&both).expect_err("both").contains("'mode' = 'non-blocking'"));
}

#[test]
fn a_stream_is_named_by_prefix_container_and_task_or_by_the_container() {
    let named = read(&[("awslogs-stream-prefix", "web/blue")]).expect("taken");
    assert_eq!(named.stream("app", "0a1b", "0a1b-77"), "web/blue/app/0a1b");
    assert_eq!(
        read(&[]).expect("taken").stream("app", "0a1b", "0a1b-77"),
        "0a1b-77"
    );
}

#[test]
fn dates_are_found_where_their_format_says() {
    for (format, line, found) in [
        (
            r"\[%b %d, %Y %H:%M:%S\]",
            "[May 01, 2017 19:00:01] A message",
            true,
        ),
        (
            r"\[%b %d, %Y %H:%M:%S\]",
            "[May 1, 2017 19:00:01] A message",
            false,
        ),
        (r"\[%b %d, %Y %H:%M:%S\]", "Another message", false),
        ("%Y-%m-%dT%H:%M:%S", "x 2024-02-29T23:59:60 y", true),
        ("%Y-%m-%d", "2024-13-01", false),
        ("%d/%b/%y", "07/Feb/24", true),
        ("%A, %B %d", "Monday, January 31", true),
        ("%a %w", "Tue 2", true),
        ("%I:%M %p", "12:30 PM", true),
        ("%I:%M %p", "13:30 PM", false),
        ("%H:%M:%S%L", "10:11:12.345", true),
        ("%S,%f", "12,345678", true),
        ("%H%z", "10+0100", true),
        ("%H %Z", "10 CEST", true),
        ("%Y-%j", "2024-366", true),
        ("%Y-%j", "2024-367", false),
        ("100%% %Y", "100% 2024", true),
    ] {
        let options = read(&[("awslogs-datetime-format", format)]).expect(format);
        let start = options.start.expect("a pattern");
        assert_eq!(start.0.is_match(line), found, "{format} on {line}");
    }
}
