//! The engine at work: it gives every task an actor of its own, so that a slow disk, registry or control plane
//! holds up one task and not the node.

mod actor;
mod attachments;
mod effects;
mod engine;
mod pace;
mod record;

pub use actor::View;
pub use engine::{AcceptError, Engine, EngineError, Limits, NetworkMapError};
pub use pace::{Pace, jitter};
