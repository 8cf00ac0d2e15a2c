//! The agents that are connected now, and what each was told over this connection. Lost with the process and
//! made again by the agents' reconnecting: records alone decide what is told again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use roadstead_acs::ToAgent;
use tokio::sync::{mpsc, watch};

/// Frames that wait for one agent at most.
const QUEUE: usize = 1024;
/// Deliveries remembered per connection, far above the tasks of one machine.
const MAX_DELIVERIES: usize = 65_536;

/// Every connected agent, by the ARN of its container instance.
#[derive(Default)]
pub(crate) struct Sessions {
    live: Mutex<HashMap<String, Arc<Session>>>,
    next: AtomicU64,
}

/// One connection.
pub(crate) struct Session {
    pub(super) id: u64,
    /// Its container instance's ARN, and that of the cluster it is in.
    pub(super) instance: String,
    pub(super) cluster: String,
    /// The machine, if its agent takes maps of VPCs.
    pub(super) maps_for: Option<String>,
    out: mpsc::Sender<ToAgent>,
    /// Why the connection is to end.
    close: watch::Sender<Option<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What every payload carries: the timeline of this connection's manifest.
    timeline: i64,
    /// The highest generation of maps that was sent, and the message it went in.
    maps_sent: u64,
    maps_message: String,
    deliveries: HashMap<String, Delivered>,
}

struct Delivered {
    stage: Stage,
    message: String,
    at: Instant,
    /// When it was sent for the first time.
    since: Instant,
    acknowledged: bool,
}

/// Which of the two things an agent is told of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Start,
    Stop,
}

/// Frames about one task. `message` is the id of the one that is acknowledged.
pub(crate) struct Order {
    pub(crate) message: String,
    pub(crate) frames: Vec<ToAgent>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The agent is away; when it comes back it is told.
    Away,
    /// Sent, and not acknowledged yet, or the agent is too far behind to be sent more.
    Waiting,
    Acknowledged,
    /// The first task of its deployment is to say what the images are; so many others may wait for that.
    Behind(usize),
}

/// What a connection task reads.
pub(super) struct Outgoing {
    pub(super) frames: mpsc::Receiver<ToAgent>,
    pub(super) close: watch::Receiver<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// A new connection. It is not the agent's until [`Sessions::enter`].
    pub(super) fn open(
        &self,
        instance: String,
        cluster: String,
        maps_for: Option<String>,
    ) -> (Arc<Session>, Outgoing) {
        let (out, frames) = mpsc::channel(QUEUE);
        let (close, closed) = watch::channel(None);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let state = Mutex::default();
        let session = Session {
            id,
            instance,
            cluster,
            maps_for,
            out,
            close,
            state,
        };
        (
            Arc::new(session),
            Outgoing {
                frames,
                close: closed,
            },
        )
    }

    /// From now on this connection is the agent's; an earlier one ends.
    pub(super) fn enter(&self, session: &Arc<Session>) {
        let old = lock(&self.live).insert(session.instance.clone(), session.clone());
        if let Some(old) = old {
            old.end("another connection of the same container instance took over");
        }
    }

    /// The connection is over; whether it was the agent's until now.
    pub(super) fn leave(&self, session: &Session) -> bool {
        let mut live = lock(&self.live);
        let current = live
            .get(&session.instance)
            .is_some_and(|current| current.id == session.id);
        if current {
            live.remove(&session.instance);
        }
        current
    }

    pub(crate) fn is_connected(&self, instance: &str) -> bool {
        lock(&self.live).contains_key(instance)
    }

    pub(crate) fn find(&self, instance: &str) -> Option<Arc<Session>> {
        lock(&self.live).get(instance).cloned()
    }

    /// Ends the connection of an instance.
    pub(crate) fn close(&self, instance: &str, why: &str) {
        if let Some(session) = self.find(instance) {
            session.end(why);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.live).is_empty()
    }

    /// Ends every connection: agents come back at once, to whoever serves then.
    pub(crate) fn close_all(&self, why: &str) {
        let all: Vec<Arc<Session>> = lock(&self.live).values().cloned().collect();
        for session in all {
            session.end(why);
        }
    }
}

impl Session {
    fn end(&self, why: &str) {
        self.close.send_replace(Some(why.to_owned()));
    }

    pub(super) fn set_timeline(&self, timeline: i64) {
        lock(&self.state).timeline = timeline;
    }

    pub(crate) fn timeline(&self) -> i64 {
        lock(&self.state).timeline
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The machine whose maps this agent takes.
    pub(crate) fn maps_for(&self) -> Option<&str> {
        self.maps_for.as_deref()
    }

    /// Whether maps of this generation are still to be sent; if so, they count as sent in this message.
    pub(crate) fn claim_maps(&self, generation: u64, message: &str) -> bool {
        let mut state = lock(&self.state);
        let newer = generation > state.maps_sent;
        if newer {
            state.maps_sent = generation;
            message.clone_into(&mut state.maps_message);
        }
        newer
    }

    /// The agent could not apply a message: if it was the latest maps, they are to be sent again.
    pub(super) fn refused(&self, message: &str) {
        let mut state = lock(&self.state);
        if state.maps_message == message {
            state.maps_sent = 0;
        }
    }

    /// How the delivery of a task's stage stands; none: it is to be sent (again).
    pub(crate) fn standing(&self, task: &str, stage: Stage, resend: Duration) -> Option<Delivery> {
        let state = lock(&self.state);
        let delivered = state
            .deliveries
            .get(task)
            .filter(|delivered| delivered.stage == stage)?;
        if delivered.acknowledged {
            Some(Delivery::Acknowledged)
        } else {
            (delivered.at.elapsed() < resend).then_some(Delivery::Waiting)
        }
    }

    /// Sends the frames of an order, all or, if the agent is too far behind, none.
    pub(crate) fn send(&self, task: &str, stage: Stage, order: Order) -> Delivery {
        let Ok(mut places) = self.out.try_reserve_many(order.frames.len()) else {
            return if self.out.is_closed() {
                Delivery::Away
            } else {
                Delivery::Waiting
            };
        };
        let mut state = lock(&self.state);
        if state.deliveries.len() >= MAX_DELIVERIES {
            state.deliveries.retain(|_, delivered| !delivered.acknowledged);
        }
        let at = Instant::now();
        let before = state.deliveries.get(task).filter(|before| before.stage == stage);
        let delivered = Delivered {
            stage,
            message: order.message,
            at,
            since: before.map_or(at, |before| before.since),
            acknowledged: false,
        };
        state.deliveries.insert(task.to_owned(), delivered);
        for (frame, place) in order.frames.into_iter().zip(&mut places) {
            place.send(frame);
        }
        Delivery::Waiting
    }

    /// The agent acknowledged a message; the task it was about, if it was about one.
    pub(super) fn acknowledged(&self, message: &str) -> Option<String> {
        let mut state = lock(&self.state);
        let found = state
            .deliveries
            .iter_mut()
            .find(|(_, delivered)| delivered.message == message);
        found.map(|(task, delivered)| {
            delivered.acknowledged = true;
            task.clone()
        })
    }

    /// Whether the agent was told anything of the task over this connection.
    pub(crate) fn knows(&self, task: &str) -> bool {
        lock(&self.state).deliveries.contains_key(task)
    }

    /// For how long the agent has known of the task over this connection.
    pub(crate) fn knows_for(&self, task: &str) -> Option<Duration> {
        let state = lock(&self.state);
        state
            .deliveries
            .get(task)
            .map(|delivered| delivered.since.elapsed())
    }

    /// The task has ended; nothing of it need be remembered.
    pub(crate) fn forget(&self, task: &str) {
        lock(&self.state).deliveries.remove(task);
    }
}
