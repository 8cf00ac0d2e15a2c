//! The pump before an event service that takes, refuses, and dies with an event in its hands.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Partition, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_outbox::{Event, LINGER, MAX_AGE, Running, Source, add, start, table};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value};
use roadstead_store::{Embedded, Outcome, Store, Transaction};
use serde_json::json;

const START: Timestamp = Timestamp(1_700_000_000_123);

enum Mood {
    /// Takes the event, and the daemon is killed before it hears so.
    Hang,
    Refuse(ApiError),
    Fail(&'static str),
}

/// An event service that takes everything, after the moods it was given.
#[derive(Default)]
struct Fake {
    moods: Mutex<VecDeque<Mood>>,
    heard: Mutex<Vec<Value>>,
    callers: Mutex<Vec<Caller>>,
}

impl Handler for Fake {
    fn model(&self) -> &'static ServiceModel {
        &roadstead_api_events::MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        assert_eq!(operation.name, "PutEvents");
        self.heard.lock().unwrap().push(input);
        self.callers.lock().unwrap().push(ctx.caller.clone());
        let mood = self.moods.lock().unwrap().pop_front();
        Box::pin(async move {
            let entry = match mood {
                None => ("EventId", "e"),
                Some(Mood::Fail(code)) => ("ErrorCode", code),
                Some(Mood::Refuse(error)) => return Err(error),
                Some(Mood::Hang) => std::future::pending().await,
            };
            let entry = Value::Map(vec![(entry.0.into(), Value::Str(entry.1.into()))]);
            Ok(Value::Map(vec![("Entries".into(), Value::List(vec![entry]))]))
        })
    }
}

struct Bench {
    store: Arc<dyn Store>,
    fake: Arc<Fake>,
    clock: Arc<ManualClock>,
    dispatcher: Arc<Dispatcher>,
}

fn partition() -> Partition {
    Partition {
        account: "000000000000".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

fn event(subject: &str, number: u64) -> Event {
    Event {
        partition: partition(),
        source: Source::Ecs,
        detail_type: "ECS Task State Change".into(),
        subject: subject.into(),
        number,
        at: START,
        detail: json!({"version": number}),
    }
}

impl Bench {
    fn new(served: bool, moods: impl IntoIterator<Item = Mood>) -> Self {
        // The events are old enough at once.
        let clock = Arc::new(ManualClock::at(START.plus_millis(LINGER)));
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), partition().account);
        let fake = Arc::new(Fake {
            moods: Mutex::new(moods.into_iter().collect()),
            ..Fake::default()
        });
        if served {
            dispatcher.register(fake.clone());
        }
        Self {
            store: Arc::new(Embedded::in_memory(Default::default()).unwrap()),
            fake,
            clock,
            dispatcher,
        }
    }

    async fn add(&self, events: &[Event]) {
        let transaction = events
            .iter()
            .fold(Transaction::new(&self.store), |transaction, event| {
                add(transaction, &self.store, event)
            });
        assert!(matches!(
            transaction.commit().await.unwrap(),
            Outcome::Committed(_)
        ));
    }

    async fn run(&self) -> Running {
        start(&self.store, &self.dispatcher, self.clock.clone())
            .await
            .unwrap()
    }

    async fn waiting(&self) -> usize {
        let within = table(&self.store).within(&partition());
        table(&self.store).all(&within).await.unwrap().0.len()
    }

    async fn emptied(&self) {
        for _ in 0..12_000 {
            if self.waiting().await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} events still wait", self.waiting().await);
    }

    /// What was heard, as subject and detail.
    fn heard(&self) -> Vec<(String, String)> {
        let text = |value: Option<&Value>| match value {
            Some(Value::Str(text)) => text.clone(),
            other => panic!("no text: {other:?}"),
        };
        let read = |input: &Value| {
            let Some(Value::List(entries)) = input.get("Entries") else {
                panic!("{input:?}")
            };
            let entry = &entries[0];
            assert_eq!(text(entry.get("Source")), "aws.ecs");
            assert_eq!(text(entry.get("DetailType")), "ECS Task State Change");
            assert_eq!(entry.get("Time"), Some(&Value::Time(1_700_000_000.123)));
            let Some(Value::List(resources)) = entry.get("Resources") else {
                panic!("{entry:?}")
            };
            (text(resources.first()), text(entry.get("Detail")))
        };
        self.fake.heard.lock().unwrap().iter().map(read).collect()
    }
}

fn of(subject: &str, versions: &[u64]) -> Vec<(String, String)> {
    let one = |version: &u64| (subject.to_owned(), format!(r#"{{"version":{version}}}"#));
    versions.iter().map(one).collect()
}

#[tokio::test]
async fn each_subjects_events_are_told_in_order_and_are_gone_then() {
    let bench = Bench::new(true, []);
    // Some before the start, as an earlier daemon left them, more than one look takes; some after.
    let early: Vec<Event> = (1..=40).map(|number| event("arn:a", number)).collect();
    bench.add(&early).await;
    let driver = bench.run().await;
    bench.add(&[event("arn:b", 9), event("arn:b", 10)]).await;
    bench.emptied().await;
    driver.stop().await;
    let (a, b): (Vec<_>, Vec<_>) = bench
        .heard()
        .into_iter()
        .partition(|(subject, _)| subject == "arn:a");
    assert_eq!(a, of("arn:a", &(1..=40).collect::<Vec<_>>()));
    assert_eq!(b, of("arn:b", &[9, 10]));
    let callers = bench.fake.callers.lock().unwrap();
    assert!(
        callers
            .iter()
            .all(|caller| *caller == Caller::Service("ecs.amazonaws.com"))
    );
}

#[tokio::test]
async fn what_was_handed_over_when_the_daemon_died_is_handed_over_again() {
    let bench = Bench::new(true, [Mood::Hang]);
    bench.add(&[event("arn:a", 1), event("arn:a", 2)]).await;
    let driver = bench.run().await;
    for _ in 0..12_000 {
        if !bench.heard().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.heard(), of("arn:a", &[1]));
    drop(driver);
    assert_eq!(bench.waiting().await, 2, "nothing is lost");
    let driver = bench.run().await;
    bench.emptied().await;
    driver.stop().await;
    assert_eq!(bench.heard(), of("arn:a", &[1, 1, 2]));
    let heard = bench.fake.heard.lock().unwrap();
    assert_eq!(heard[0], heard[1], "the very same event");
}

#[tokio::test]
async fn an_event_waits_for_a_busy_service_and_holds_up_its_successors() {
    let busy = ApiError::client("LimitExceededException", "publish more slowly");
    let broken = ApiError::new("InternalFailure", 500, "broken");
    let moods = [
        Mood::Refuse(busy),
        Mood::Refuse(broken),
        Mood::Fail("ThrottlingException"),
    ];
    let bench = Bench::new(true, moods);
    bench.add(&[event("arn:a", 1), event("arn:a", 2)]).await;
    let driver = bench.run().await;
    bench.emptied().await;
    driver.stop().await;
    assert_eq!(bench.heard(), of("arn:a", &[1, 1, 1, 1, 2]));
}

#[tokio::test]
async fn an_event_that_will_never_be_taken_does_not_hold_up_others() {
    let refused = ApiError::client("ValidationException", "no");
    let bench = Bench::new(true, [Mood::Refuse(refused), Mood::Fail("MalformedDetail")]);
    let events: Vec<Event> = (1..=3).map(|number| event("arn:a", number)).collect();
    bench.add(&events).await;
    let driver = bench.run().await;
    bench.emptied().await;
    driver.stop().await;
    assert_eq!(bench.heard(), of("arn:a", &[1, 2, 3]));
}

#[tokio::test]
async fn events_that_follow_one_another_go_together() {
    let bench = Bench::new(true, []);
    let young = Event {
        at: START.plus_millis(LINGER),
        ..event("arn:a", 2)
    };
    let before = bench.store.revision().await.unwrap();
    let driver = bench.run().await;
    bench.add(std::slice::from_ref(&young)).await;
    // Only the clock that tests move ends the wait.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(bench.waiting().await, 1);
    bench.add(&[Event { number: 3, ..young }]).await;
    bench.clock.advance(LINGER);
    bench.emptied().await;
    driver.stop().await;
    assert_eq!(bench.fake.heard.lock().unwrap().len(), 2);
    let commits = bench.store.revision().await.unwrap().0 - before.0;
    assert_eq!(commits, 3, "one for each event, and one that deletes both");
}

#[tokio::test]
async fn an_event_is_tried_for_a_day() {
    let broken = ApiError::new("InternalFailure", 500, "broken");
    let bench = Bench::new(true, [Mood::Refuse(broken)]);
    bench.clock.advance(MAX_AGE);
    bench.add(&[event("arn:a", 1)]).await;
    let driver = bench.run().await;
    bench.emptied().await;
    driver.stop().await;
    assert_eq!(bench.heard(), of("arn:a", &[1]));
}

#[tokio::test]
async fn without_an_event_service_nothing_piles_up() {
    let bench = Bench::new(false, []);
    bench.add(&[event("arn:a", 1), event("arn:b", 1)]).await;
    let driver = bench.run().await;
    bench.emptied().await;
    driver.stop().await;
    assert_eq!(bench.heard(), []);
}
