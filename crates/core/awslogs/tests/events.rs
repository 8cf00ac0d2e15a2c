//! Which lines make an event, which events a request, and from where it would be read again.

use proptest::prelude::*;
use regex::Regex;
use roadstead_awslogs::{
    Assembler, BLOCK_WAIT_MS, Event, Line, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT, Queue, Start,
};

fn line(time: i64, text: &str) -> Line {
    Line {
        time,
        stderr: false,
        partial: false,
        bytes: text.as_bytes().to_vec(),
    }
}

/// Every record takes ten bytes of the log.
fn assemble(start: Option<&str>, lines: Vec<Line>) -> Vec<Event<u64>> {
    let mut assembler = Assembler::new(start.map(|start| Start(Regex::new(start).expect("a pattern"))), 0);
    let mut events = Vec::new();
    for (index, line) in (0u64..).zip(lines) {
        events.extend(assembler.push(line, index * 10, index * 10 + 10));
    }
    events.extend(assembler.finish());
    events
}

fn messages(events: &[Event<u64>]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}

#[test]
fn each_line_is_an_event_and_an_empty_one_is_none() {
    let events = assemble(None, vec![line(1, "one"), line(2, ""), line(3, "two")]);
    assert_eq!(messages(&events), ["one", "two"]);
    assert_eq!((events[0].time, events[0].safe, events[1].safe), (1, 10, 30));
}

#[test]
fn what_is_not_text_is_sent_as_far_as_it_is() {
    let broken = Line {
        bytes: b"a\xffb".to_vec(),
        ..line(1, "")
    };
    assert_eq!(messages(&assemble(None, vec![broken])), ["a\u{fffd}b"]);
}

#[test]
fn records_of_a_line_join_stream_by_stream() {
    let part = |stderr, partial, text: &str| Line {
        stderr,
        partial,
        ..line(1, text)
    };
    let events = assemble(
        None,
        vec![
            part(false, true, "out"),
            part(true, false, "err"),
            part(false, false, "put"),
        ],
    );
    assert_eq!(messages(&events), ["err", "output"]);
    assert_eq!(events[0].safe, 0, "the first line's beginning has not been sent");
    assert_eq!(events[1].safe, 30);
}

#[test]
fn lines_that_do_not_begin_an_event_go_on_with_one() {
    let lines = ["stray", "INFO a", "  at b", "", "INFO c"];
    let lines = (1..).zip(lines).map(|(time, text)| line(time, text)).collect();
    let events = assemble(Some("^INFO"), lines);
    assert_eq!(messages(&events), ["stray", "INFO a\n  at b\n", "INFO c"]);
    let places: Vec<_> = events.iter().map(|event| (event.time, event.safe)).collect();
    assert_eq!(places, [(1, 10), (2, 40), (5, 50)]);
}

#[test]
fn a_message_is_waited_for_so_long_and_no_longer() {
    let mut assembler = Assembler::new(Some(Start(Regex::new("^INFO").expect("a pattern"))), 0u64);
    assert!(assembler.push(line(1_000, "INFO a"), 0, 10).is_empty());
    assert!(assembler.expire(1_000 + BLOCK_WAIT_MS - 1).is_empty());
    assert_eq!(assembler.safe(), 0);
    assert_eq!(messages(&assembler.expire(1_000 + BLOCK_WAIT_MS)), ["INFO a"]);
    assert_eq!(assembler.safe(), 10);
    assert!(assembler.push(line(9_000, "late"), 10, 20).is_empty());
    assert_eq!(messages(&assembler.finish()), ["late"]);
}

#[test]
fn a_line_longer_than_an_event_is_cut_between_characters() {
    let long = "ä".repeat(MAX_EVENT);
    let records: Vec<Line> = long
        .as_bytes()
        .chunks(16_384)
        .map(|chunk| Line {
            partial: true,
            bytes: chunk.to_vec(),
            ..line(1, "")
        })
        .chain([line(2, "end")])
        .collect();
    for start in [None, Some("^never")] {
        let events = assemble(start, records.clone());
        assert!(events.iter().all(|event| event.message.len() <= MAX_EVENT));
        assert_eq!(
            messages(&events).concat().replace('\n', ""),
            format!("{long}end"),
            "{start:?}"
        );
    }
}

#[test]
fn a_request_has_its_bounds() {
    let event = |time, length: usize, safe| Event {
        time,
        message: "x".repeat(length),
        safe,
    };
    let mut queue = Queue::default();
    assert!(queue.take().is_none());
    queue.extend((0..=MAX_BATCH_EVENTS as u64).map(|safe| event(1, 1, safe)));
    assert!(queue.is_full());
    let (batch, safe) = queue.take().expect("a batch");
    assert_eq!(
        (batch.len(), safe),
        (MAX_BATCH_EVENTS, MAX_BATCH_EVENTS as u64 - 1)
    );
    assert!(!queue.is_full() && queue.take().is_some_and(|(batch, _)| batch.len() == 1));

    queue.extend((0..5).map(|safe| event(1, MAX_EVENT, safe)));
    let (batch, safe) = queue.take().expect("a batch");
    assert_eq!((batch.len(), safe), (4, 3));
    assert_eq!(
        batch.iter().map(|event| event.message.len() + 26).sum::<usize>(),
        MAX_BATCH_BYTES
    );
    queue.take().expect("the rest");

    queue.extend([
        event(5, 1, 1),
        event(3, 1, 2),
        event(3 + 86_400_000, 1, 3),
        event(2, 1, 4),
    ]);
    let (batch, safe) = queue.take().expect("a batch");
    assert_eq!(
        batch.iter().map(|event| event.time).collect::<Vec<_>>(),
        [3, 5, 86_400_003]
    );
    assert_eq!((safe, queue.is_empty()), (3, false));
    queue.take().expect("the last");
    queue.extend([event(0, 1, 1), event(86_400_001, 1, 2)]);
    assert_eq!(queue.take().expect("a batch").0.len(), 1);
}

proptest! {
    /// Whoever begins again where it was safe reads no line less, whatever had been sent by then.
    #[test]
    fn nothing_is_lost_by_beginning_again(
        records in proptest::collection::vec((any::<bool>(), any::<bool>(), "[a-cI]{0,6}"), 1..40),
        multiline in any::<bool>(),
        stop in 0usize..40,
    ) {
        let start = multiline.then(|| Start(Regex::new("^I").expect("a pattern")));
        let lines: Vec<Line> = records
            .into_iter()
            .map(|(stderr, partial, text)| Line { stderr, partial, ..line(1, &text) })
            .collect();
        let mut assembler = Assembler::new(start.clone(), 0usize);
        let (mut sent, mut safe) = (String::new(), 0);
        for (index, line) in lines.iter().enumerate().take(stop) {
            for event in assembler.push(line.clone(), index, index + 1) {
                prop_assert!(event.safe >= safe && !event.message.is_empty());
                safe = event.safe;
                sent.push_str(&event.message);
            }
        }
        prop_assert!(assembler.safe() >= safe);
        let mut again = Assembler::new(start, safe);
        for (index, line) in lines.iter().enumerate().skip(safe) {
            for event in again.push(line.clone(), index, index + 1) {
                sent.push_str(&event.message);
            }
        }
        sent.extend(again.finish().into_iter().map(|event| event.message));
        let count = |text: &str| text.chars().filter(|c| *c != '\n').count();
        let printed: String = lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect();
        prop_assert!(count(&sent) >= count(&printed));
    }
}
