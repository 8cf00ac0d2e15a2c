//! Where an environment and its runtime meet: the node puts an invocation in, the runtime takes it over the runtime API
//! and answers there. At most one is under way; an answer to any other is refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use roadstead_base::Timestamp;
use roadstead_functions::Invocation;
use tokio::sync::Notify;

/// An invocation as the runtime gets it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub invocation: Invocation,
    pub deadline: Timestamp,
}

/// What the runtime said of an invocation, or of its own beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Response(Bytes),
    /// Its own words for what the code did wrong.
    Error(Bytes),
    /// The response was longer than can be.
    TooLarge(usize),
}

#[derive(Default)]
struct State {
    /// Asked for an invocation at least once: the environment is initialized.
    ready: bool,
    init_error: Option<Bytes>,
    waiting: Option<Event>,
    /// The invocation that the runtime has taken and not answered.
    taken: Option<String>,
    answer: Option<Answer>,
}

#[derive(Default)]
pub(crate) struct Exchange {
    state: Mutex<State>,
    /// For the runtime: there is an invocation.
    offered: Notify,
    /// For the node: the runtime said something.
    said: Notify,
    /// Held by whoever reads what the runtime sends.
    pub(crate) reading: tokio::sync::Mutex<()>,
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotUnderWay;

impl Exchange {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime asks for its next invocation, and waits for one as long as it takes.
    pub(crate) async fn next(&self) -> Event {
        loop {
            let offered = self.offered.notified();
            {
                let mut state = self.lock();
                state.ready = true;
                if let Some(event) = state.waiting.take() {
                    state.taken = Some(event.invocation.request_id.clone());
                    return event;
                }
            }
            self.said.notify_one();
            offered.await;
        }
    }

    /// Whether the runtime has taken the invocation `id` and not answered it.
    pub(crate) fn is_under_way(&self, id: &str) -> bool {
        self.lock().taken.as_deref() == Some(id)
    }

    /// Whether the runtime has asked for an invocation.
    pub(crate) fn has_begun(&self) -> bool {
        self.lock().ready
    }

    /// The runtime answers the invocation `id`.
    pub(crate) fn answer(&self, id: &str, answer: Answer) -> Result<(), NotUnderWay> {
        {
            let mut state = self.lock();
            if state.taken.as_deref() != Some(id) {
                return Err(NotUnderWay);
            }
            state.taken = None;
            state.answer = Some(answer);
        }
        self.said.notify_one();
        Ok(())
    }

    /// The runtime says that it cannot begin.
    pub(crate) fn init_failed(&self, body: Bytes) -> Result<(), NotUnderWay> {
        {
            let mut state = self.lock();
            if state.ready {
                return Err(NotUnderWay);
            }
            state.init_error = Some(body);
        }
        self.said.notify_one();
        Ok(())
    }

    /// The node waits until the runtime asks for work; or what it said instead.
    pub(crate) async fn ready(&self) -> Result<(), Bytes> {
        loop {
            let said = self.said.notified();
            {
                let state = self.lock();
                if let Some(body) = &state.init_error {
                    return Err(body.clone());
                }
                if state.ready {
                    return Ok(());
                }
            }
            said.await;
        }
    }

    /// Whether the runtime has said why it cannot begin.
    pub(crate) fn init_error(&self) -> Option<Bytes> {
        self.lock().init_error.clone()
    }

    /// The node hands an invocation over. None may be under way.
    pub(crate) fn offer(&self, event: Event) {
        {
            let mut state = self.lock();
            state.answer = None;
            state.waiting = Some(event);
        }
        self.offered.notify_one();
    }

    /// The node waits for the answer to what it handed over.
    pub(crate) async fn answered(&self) -> Answer {
        loop {
            let said = self.said.notified();
            if let Some(answer) = self.lock().answer.take() {
                return answer;
            }
            said.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn event(id: &str) -> Event {
        Event {
            invocation: Invocation {
                request_id: id.into(),
                invoked_arn: "arn".into(),
                payload: Bytes::new(),
                client_context: None,
                tail: false,
            },
            deadline: Timestamp(0),
        }
    }

    #[tokio::test]
    async fn what_is_offered_is_taken_and_answered_once() {
        let exchange = Arc::new(Exchange::default());
        let runtime = {
            let exchange = Arc::clone(&exchange);
            tokio::spawn(async move {
                for _ in 0..100 {
                    let event = exchange.next().await;
                    let id = &event.invocation.request_id;
                    let body = Bytes::from(id.clone());
                    assert_eq!(
                        exchange.answer("other", Answer::Response(Bytes::new())),
                        Err(NotUnderWay)
                    );
                    exchange.answer(id, Answer::Response(body)).expect("under way");
                    assert_eq!(exchange.answer(id, Answer::Error(Bytes::new())), Err(NotUnderWay));
                }
            })
        };
        exchange.ready().await.expect("begins");
        for number in 0..100 {
            let id = number.to_string();
            exchange.offer(event(&id));
            assert_eq!(exchange.answered().await, Answer::Response(Bytes::from(id)));
        }
        runtime.await.expect("no panic");
        assert_eq!(
            exchange.init_failed(Bytes::new()),
            Err(NotUnderWay),
            "it had begun"
        );
    }

    #[tokio::test]
    async fn who_hangs_up_while_it_waits_takes_nothing_away() {
        let exchange = Exchange::default();
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(1), exchange.next());
        waiting.await.expect_err("there is nothing");
        exchange.offer(event("a"));
        assert_eq!(exchange.next().await.invocation.request_id, "a");
        exchange.answer("a", Answer::TooLarge(7)).expect("under way");
        assert_eq!(exchange.answered().await, Answer::TooLarge(7));
    }

    #[tokio::test]
    async fn a_runtime_that_cannot_begin_says_why() {
        let exchange = Exchange::default();
        exchange.init_failed(Bytes::from_static(b"why")).expect("taken");
        assert_eq!(exchange.ready().await, Err(Bytes::from_static(b"why")));
    }
}
