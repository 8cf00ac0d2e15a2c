//! What expressions mean, by tables: the documented examples, the corners of the calendar, and what is refused
//! where.

use jiff::civil::DateTime;
use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp};
use roadstead_schedule::{Due, Schedule, due};

fn utc(text: &str) -> Timestamp {
    let time: DateTime = text.parse().expect(text);
    TimeZone::UTC.to_timestamp(time).expect(text)
}

/// The first ticks after a time.
fn ticks(expression: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(expression).expect(expression);
    let anchor = utc(after);
    let mut last = anchor;
    let mut found = Vec::new();
    while found.len() < count {
        let Some(tick) = schedule.next_after(anchor, last) else {
            break;
        };
        found.push(tick.to_string().trim_end_matches(":00Z").replace('T', " "));
        last = tick;
    }
    found
}

#[test]
fn cron_ticks_are_the_documented_ones() {
    for (expression, after, wanted) in [
        (
            "cron(0/1 * * * ? *)",
            "2026-01-01T00:00:00",
            vec!["2026-01-01 00:01", "2026-01-01 00:02"],
        ),
        (
            "cron(0 10 * * ? *)",
            "2026-01-01T10:00:00",
            vec!["2026-01-02 10:00"],
        ),
        (
            "cron(15 12 * * ? *)",
            "2026-01-01T12:14:59",
            vec!["2026-01-01 12:15"],
        ),
        (
            "cron(0 18 ? * MON-FRI *)",
            "2026-01-02T18:00:00",
            vec!["2026-01-05 18:00"],
        ),
        (
            "cron(0 8 1 * ? *)",
            "2026-01-01T08:00:00",
            vec!["2026-02-01 08:00"],
        ),
        (
            "cron(0/15 * * * ? *)",
            "2026-01-01T00:44:00",
            vec!["2026-01-01 00:45", "2026-01-01 01:00"],
        ),
        (
            "cron(1/10 * * * ? *)",
            "2026-01-01T00:00:00",
            vec!["2026-01-01 00:01", "2026-01-01 00:11"],
        ),
        (
            "cron(0/10 * ? * MON-FRI *)",
            "2026-01-02T23:50:00",
            vec!["2026-01-05 00:00"],
        ),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            "2026-01-01T02:30:00",
            vec!["2026-01-01 20:00"],
        ),
        (
            "cron(0 9 3W * ? *)",
            "2026-01-01T00:00:00",
            vec!["2026-01-02 09:00", "2026-02-03 09:00"],
        ),
        (
            "cron(0 0 1W * ? *)",
            "2026-01-31T00:00:00",
            vec!["2026-02-02 00:00", "2026-03-02 00:00"],
        ),
        (
            "cron(0 0 31W * ? *)",
            "2026-02-01T00:00:00",
            vec!["2026-03-31 00:00", "2026-05-29 00:00"],
        ),
        (
            "cron(0 0 LW * ? *)",
            "2026-01-01T00:00:00",
            vec!["2026-01-30 00:00", "2026-02-27 00:00"],
        ),
        (
            "cron(0 0 L * ? *)",
            "2028-02-01T00:00:00",
            vec!["2028-02-29 00:00", "2028-03-31 00:00"],
        ),
        (
            "cron(0 0 1,L * ? *)",
            "2026-01-02T00:00:00",
            vec!["2026-01-31 00:00", "2026-02-01 00:00"],
        ),
        (
            "cron(0 0 ? * 3#2 *)",
            "2026-01-01T00:00:00",
            vec!["2026-01-13 00:00", "2026-02-10 00:00"],
        ),
        (
            "cron(0 0 ? * FRI#5 *)",
            "2026-01-01T00:00:00",
            vec!["2026-01-30 00:00", "2026-05-29 00:00"],
        ),
        (
            "cron(15 10 ? * 6L 2026-2027)",
            "2026-12-01T00:00:00",
            vec!["2026-12-25 10:15", "2027-01-29 10:15"],
        ),
        (
            "cron(0 0 ? * L *)",
            "2026-01-01T00:00:00",
            vec!["2026-01-03 00:00", "2026-01-10 00:00"],
        ),
        (
            "cron(0 0 ? * SAT-MON *)",
            "2026-01-05T00:00:00",
            vec!["2026-01-10 00:00", "2026-01-11 00:00"],
        ),
        (
            "cron(0 0 29 feb ? *)",
            "2026-01-01T00:00:00",
            vec!["2028-02-29 00:00", "2032-02-29 00:00"],
        ),
        ("cron(0 0 29 2 ? 2100)", "2026-01-01T00:00:00", vec![]),
        (
            "cron(59 23 31 12 ? 2199)",
            "2026-01-01T00:00:00",
            vec!["2199-12-31 23:59"],
        ),
        ("cron(0 0 1 1 ? 2020)", "2026-01-01T00:00:00", vec![]),
        (
            "cron(0 0 1 1 ? 2020/4)",
            "2026-01-01T00:00:00",
            vec!["2028-01-01 00:00", "2032-01-01 00:00"],
        ),
    ] {
        let count = wanted.len().max(1);
        assert_eq!(
            ticks(expression, after, count),
            wanted,
            "{expression} after {after}"
        );
    }
}

#[test]
fn rates_count_from_their_anchor() {
    assert_eq!(
        ticks("rate(5 minutes)", "2026-01-01T00:02:00", 2),
        ["2026-01-01 00:07", "2026-01-01 00:12"]
    );
    assert_eq!(
        ticks("rate(1 day)", "2026-02-28T12:00:00", 1),
        ["2026-03-01 12:00"]
    );
    let hourly = Schedule::parse("rate(1 hour)").expect("a rate");
    let anchor = utc("2026-01-01T00:00:30");
    // However late it is asked, and also before the anchor itself.
    assert_eq!(
        hourly.next_after(anchor, utc("2026-01-01T05:59:59")),
        Some(utc("2026-01-01T06:00:30"))
    );
    assert_eq!(
        hourly.next_after(anchor, utc("2026-01-01T06:00:30")),
        Some(utc("2026-01-01T07:00:30"))
    );
    assert_eq!(
        hourly.next_after(anchor, utc("2025-01-01T00:00:00")),
        Some(utc("2026-01-01T01:00:30"))
    );
}

#[test]
fn once_is_once() {
    assert_eq!(
        ticks("at(2026-01-31T08:00:00)", "2026-01-01T00:00:00", 3),
        ["2026-01-31 08:00"]
    );
}

#[test]
fn clocks_that_change_skip_what_they_skip_and_tick_once_for_what_they_repeat() {
    // An hour ahead of the others from the last Sunday of March to that of October.
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
    let at = |text: &str, zone: &TimeZone| {
        zone.to_timestamp(text.parse::<DateTime>().expect(text))
            .expect(text)
    };
    let daily = Schedule::parse("cron(30 2 * * ? *)").expect("a schedule");
    let spring = at("2026-03-28T03:00:00", &zone);
    let next = daily.next_after_in(&zone, spring, spring).expect("a tick");
    assert_eq!(
        next,
        at("2026-03-30T02:30:00", &zone),
        "02:30 is not there on the 29th"
    );
    let autumn = at("2026-10-24T03:00:00", &zone);
    let first = daily.next_after_in(&zone, autumn, autumn).expect("a tick");
    assert_eq!(
        first,
        TimeZone::fixed(tz::offset(2))
            .to_timestamp("2026-10-25T02:30:00".parse().expect("a time"))
            .expect("a tick")
    );
    let second = daily.next_after_in(&zone, autumn, first).expect("a tick");
    assert_eq!(
        second,
        at("2026-10-26T02:30:00", &zone),
        "the second 02:30 of the 25th is no tick"
    );
}

#[test]
fn faults_say_where_they_are() {
    for (expression, position) in [
        ("", 0),
        ("every 5 minutes", 0),
        ("Rate(5 minutes)", 0),
        ("rate(5 minutes", 14),
        ("rate(5)", 6),
        ("rate(0 minutes)", 5),
        ("rate(-5 minutes)", 5),
        ("rate(+5 minutes)", 5),
        ("rate(1 minutes)", 7),
        ("rate(5 minute)", 7),
        ("rate(5 seconds)", 7),
        ("rate(5  minutes)", 7),
        ("rate(999999999 days)", 5),
        ("cron()", 5),
        ("cron(0 12 * * ?)", 15),
        ("cron(0 12 * * ? * *)", 18),
        ("cron(60 12 * * ? *)", 5),
        ("cron(0 24 * * ? *)", 7),
        ("cron(0 12 32 * ? *)", 10),
        ("cron(0 12 0 * ? *)", 10),
        ("cron(0 12 * 13 ? *)", 12),
        ("cron(0 12 * JAM ? *)", 12),
        ("cron(0 12 ? * 8 *)", 14),
        ("cron(0 12 * * ? 1969)", 16),
        ("cron(0 12 * * ? 2200)", 16),
        ("cron(0 12 * * ? 2027-2026)", 16),
        ("cron(0 12 * * * *)", 14),
        ("cron(0 12 1 * MON *)", 14),
        ("cron(0 12 ? * ? *)", 14),
        ("cron(0,5,x 12 * * ? *)", 9),
        ("cron(0/0 12 * * ? *)", 7),
        ("cron(0/61 12 * * ? *)", 7),
        ("cron(0 12 ? * 2/2 *)", 15),
        ("cron(0 12 ? * 3#6 *)", 16),
        ("cron(0 12 32W * ? *)", 10),
        ("cron(? 12 * * ? *)", 5),
        ("cron(L 12 * * ? *)", 5),
        ("cron(0 12 1- * ? *)", 12),
        ("at(2026-02-30T00:00:00)", 3),
        ("at(2026-01-01)", 3),
        ("at(2026-01-01 00:00:00)", 3),
    ] {
        let fault = Schedule::parse(expression).expect_err(expression);
        assert_eq!(fault.position, position, "{expression}: {fault}");
        assert!(!fault.wanted.is_empty(), "{expression}");
    }
    let long = format!("cron({} 12 * * ? *)", "0,".repeat(200));
    assert_eq!(Schedule::parse(&long).expect_err("too long").position, 256);
}

#[test]
fn after_a_pause_each_tick_within_patience_is_fired_once() {
    let schedule = Schedule::parse("cron(0/1 * * * ? *)").expect("a schedule");
    let mark = utc("2026-01-01T00:00:00");
    let ask = |mark, now: &str, most| {
        due(
            &schedule,
            mark,
            mark,
            utc(now),
            SignedDuration::from_mins(5),
            most,
        )
    };
    assert_eq!(
        ask(mark, "2026-01-01T00:00:59", 10),
        Due {
            next: Some(utc("2026-01-01T00:01:00")),
            ..Due::default()
        }
    );
    let restarted = ask(mark, "2026-01-01T00:03:10", 10);
    assert_eq!(
        restarted.fire,
        [1, 2, 3].map(|minute| utc(&format!("2026-01-01T00:0{minute}:00")))
    );
    assert_eq!(
        (restarted.missed, restarted.mark),
        (0, Some(utc("2026-01-01T00:03:00")))
    );
    assert_eq!(restarted.next, Some(utc("2026-01-01T00:04:00")));
    assert!(
        ask(utc("2026-01-01T00:03:00"), "2026-01-01T00:03:10", 10)
            .fire
            .is_empty(),
        "never twice"
    );
    let slept = ask(mark, "2026-01-01T08:00:00", 10);
    assert_eq!(
        (slept.fire.len(), slept.missed),
        (6, 474),
        "08:00 and the five minutes before"
    );
    let few = ask(mark, "2026-01-01T08:00:00", 2);
    assert_eq!(few.fire, [utc("2026-01-01T07:59:00"), utc("2026-01-01T08:00:00")]);
    assert_eq!(few.missed, 478);
}
