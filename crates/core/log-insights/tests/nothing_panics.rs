//! Whatever the text, a query is understood or refused with a place inside it, and whatever the line, it runs.

use proptest::prelude::*;
use roadstead_log_insights::{Bounds, Event, Query, Run, Window};

/// Pieces of queries in any order are closer to what parsers stumble over than letters are.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "fields ",
        "filter ",
        "stats ",
        "sort ",
        "limit ",
        "parse ",
        "dedup ",
        "display ",
        "| ",
        ", ",
        "(",
        ")",
        "[",
        "]",
        "count(*)",
        "sum(a)",
        "avg(b.c)",
        "pct(a, 95)",
        "bin(5m)",
        " by ",
        " as ",
        " and ",
        " or ",
        " not ",
        " in ",
        " like ",
        "=~",
        "/a(?<x>b)*/",
        "/",
        "\"*a*\"",
        "'x",
        "`odd`",
        "`",
        "a",
        "a.b[0]",
        "@message",
        "@timestamp",
        "1",
        "2.5e3",
        "30s",
        "-",
        "+",
        "*",
        "^",
        "%",
        "=",
        "!=",
        "<=",
        "#",
        "\n",
        "ä",
        "strlen(",
        "substr(a, 1, 2)",
        " desc",
    ]);
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

fn check(text: &str, line: &str) {
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(fault) => {
            assert!(
                fault.start <= fault.end && fault.end <= text.chars().count(),
                "{text:?}: {fault:?}"
            );
            assert!(!fault.message.is_empty());
            return;
        }
    };
    let window = Window {
        start: 0,
        end: 10,
        now: 10,
    };
    let mut run = Run::new(&query, window, Bounds::default());
    for timestamp in 0..3 {
        let event = Event {
            timestamp,
            ingestion_time: 0,
            message: line.to_owned(),
            stream: "s".into(),
            log: "l".into(),
            pointer: "p".into(),
        };
        run.push(event).expect("fits");
    }
    assert!(run.matched() <= 3);
    run.finish().expect("fits");
}

proptest! {
    #[test]
    fn queries_of_pieces(text in pieces(), line in "\\PC{0,40}") {
        check(&text, &line);
    }

    #[test]
    fn any_text(text in "\\PC{0,60}", line in "[{}\\[\\]\":,a-c0-9 ]{0,40}") {
        check(&text, &line);
        check(&format!("fields {text}"), &line);
    }
}
