//! Hundreds of nodes and their control plane in one thread, on a clock that jumps from event to event: a week of
//! rollouts takes seconds, and a seed that fails fails again in the same way.
//!
//! What decides is what decides for real: the agents' task machine and ledger (`node/agent`, `engine`), where tasks go
//! (`core/placement`), what a service does next (`core/deployment`). What is simulated is what they act on: machines,
//! images, the network between agents and control plane, and everything of it that can go wrong ([`Knobs`]).
//!
//! After every event the world checks what must never be, and ends with a [`Violation`] if it is: two containers on
//! one port of a node, a node sold beyond its size, a task that the control plane knows nothing of, fewer healthy tasks
//! than a service's minimum because of the scheduler, more than its maximum.

mod agent;
mod knobs;
mod node;
mod plane;
mod queue;
mod world;

pub use knobs::{Chance, Episodes, Knobs, Span};
pub use plane::{Kind, Service, ServiceId};
pub use world::{NodeId, Options, Violation, World};

/// Milliseconds since the simulation began, or a length of time.
pub type Millis = i64;

pub const SECOND: Millis = 1_000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;
pub const DAY: Millis = 24 * HOUR;
