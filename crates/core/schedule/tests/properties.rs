//! Against a plain search minute by minute, which knows nothing of how the next tick is found.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use roadstead_schedule::{Schedule, due};

/// A field as text, and what it means.
type Field = (String, BTreeSet<i16>);

fn field(min: i16, max: i16) -> impl Strategy<Value = Field> {
    let all: BTreeSet<i16> = (min..=max).collect();
    prop_oneof![
        Just(("*".to_owned(), all)),
        proptest::collection::btree_set(min..=max, 1..4).prop_map(|set| {
            let text: Vec<String> = set.iter().map(ToString::to_string).collect();
            (text.join(","), set)
        }),
        (min..=max, min..=max).prop_map(move |(first, last)| {
            let set = if first <= last {
                (first..=last).collect()
            } else {
                (first..=max).chain(min..=last).collect()
            };
            (format!("{first}-{last}"), set)
        }),
        (min..=max, 1..=max - min).prop_map(move |(first, step)| {
            let set = (first..=max)
                .step_by(usize::try_from(step).expect("small"))
                .collect();
            (format!("{first}/{step}"), set)
        }),
    ]
}

#[derive(Clone, Debug)]
enum Days {
    Dates(Field),
    Weekdays(Field),
    Last,
    Near(i8),
    Nth(i8, i8),
}

fn days() -> impl Strategy<Value = Days> {
    prop_oneof![
        field(1, 31).prop_map(Days::Dates),
        field(1, 7)
            .prop_filter("no increments", |field| !field.0.contains('/'))
            .prop_map(Days::Weekdays),
        Just(Days::Last),
        (1..=31i8).prop_map(Days::Near),
        (1..=7i8, 1..=5i8).prop_map(|(day, nth)| Days::Nth(day, nth)),
    ]
}

impl Days {
    fn text(&self) -> (String, String) {
        match self {
            Self::Dates((text, _)) => (text.clone(), "?".into()),
            Self::Weekdays((text, _)) => ("?".into(), text.clone()),
            Self::Last => ("L".into(), "?".into()),
            Self::Near(day) => (format!("{day}W"), "?".into()),
            Self::Nth(day, nth) => ("?".into(), format!("{day}#{nth}")),
        }
    }

    fn fits(&self, date: Date) -> bool {
        match self {
            Self::Dates((_, set)) => set.contains(&i16::from(date.day())),
            Self::Weekdays((_, set)) => set.contains(&i16::from(date.weekday().to_sunday_one_offset())),
            Self::Last => date.tomorrow().expect("a day").day() == 1,
            Self::Near(day) => {
                let Ok(wanted) = Date::new(date.year(), date.month(), *day) else {
                    return false;
                };
                let working = |date: Date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
                let nearest = [0, -1, 1, -2, 2]
                    .into_iter()
                    .map(|off: i32| wanted + off.days())
                    .find(|near| working(*near) && near.month() == wanted.month());
                nearest == Some(date)
            }
            Self::Nth(day, nth) => {
                let same = |other: Date| other.weekday() == date.weekday();
                let before = (1..=date.day())
                    .filter(|day| same(Date::new(date.year(), date.month(), *day).expect("a day")))
                    .count();
                date.weekday().to_sunday_one_offset() == *day
                    && before == usize::try_from(*nth).expect("small")
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_next_tick_fits_and_none_before_it_does(
        minutes in field(0, 59), hours in field(0, 23), months in field(1, 12), days in days(),
        start in 1_700_000_000i64..2_500_000_000,
    ) {
        let (of_month, of_week) = days.text();
        let text = format!("cron({} {} {of_month} {} {of_week} *)", minutes.0, hours.0, months.0);
        let schedule = Schedule::parse(&text).expect(&text);
        let start = Timestamp::from_second(start).expect("a time");
        let fits = |time: DateTime| {
            minutes.1.contains(&i16::from(time.minute()))
                && hours.1.contains(&i16::from(time.hour()))
                && months.1.contains(&i16::from(time.month()))
                && days.fits(time.date())
        };
        let next = schedule.next_after(start, start);
        let civil = |at: Timestamp| TimeZone::UTC.to_datetime(at);
        if let Some(next) = next {
            prop_assert!(next > start && next.as_second() % 60 == 0);
            prop_assert!(fits(civil(next)), "{text} at {next}");
        }
        // Minute by minute for two days, then day by day for a year.
        let first = Timestamp::from_second(start.as_second().div_euclid(60) * 60 + 60).expect("a time");
        for minute in 0..2 * 24 * 60 {
            let time = first + SignedDuration::from_mins(minute);
            if next.is_some_and(|next| time >= next) {
                break;
            }
            prop_assert!(!fits(civil(time)), "{text} skipped {time} after {start}");
        }
        let today = civil(start).date();
        for day in 1..365i32 {
            let date = today + day.days();
            let midnight = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).expect("a time");
            if next.is_some_and(|next| midnight + SignedDuration::from_hours(24) > next) {
                break;
            }
            let fitting = months.1.contains(&i16::from(date.month())) && days.fits(date);
            prop_assert!(!fitting, "{text} skipped {date} after {start}");
        }
    }

    #[test]
    fn asked_whenever_it_is_each_tick_is_answered_once(
        waits in proptest::collection::vec(0u32..400, 1..40), value in 1u32..7, start in 1_700_000_000i64..2_500_000_000,
    ) {
        let unit = if value == 1 { "minute" } else { "minutes" };
        for text in [format!("rate({value} {unit})"), format!("cron(0/{value} * * * ? *)")] {
            let schedule = Schedule::parse(&text).expect(&text);
            let anchor = Timestamp::from_second(start).expect("a time");
            let (mut now, mut mark, mut fired) = (anchor, anchor, Vec::new());
            for wait in &waits {
                now += SignedDuration::from_secs(i64::from(*wait));
                let due = due(&schedule, anchor, mark, now, SignedDuration::from_hours(1), 1000);
                prop_assert_eq!(due.missed, 0);
                prop_assert!(due.next.is_some_and(|next| next > now));
                fired.extend(due.fire);
                mark = due.mark.unwrap_or(mark);
            }
            let mut wanted = Vec::new();
            let mut last = anchor;
            while let Some(tick) = schedule.next_after(anchor, last).filter(|tick| *tick <= now) {
                wanted.push(tick);
                last = tick;
            }
            prop_assert_eq!(fired, wanted);
        }
    }

    #[test]
    fn whatever_is_written_is_understood_or_refused_within_it(text in "[a-z]{2,5}\\([-0-9 */,?LW#A-Z]{0,40}\\)?") {
        if let Err(fault) = Schedule::parse(&text) {
            prop_assert!(fault.position <= text.len());
        }
    }
}
