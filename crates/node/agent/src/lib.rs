//! The node's agent: it registers the node with the control plane, takes tasks from the agent channel, and
//! makes them real. It may die at any moment; its containers go on, and the next agent finds them.
//!
//! ```text
//! engine    what a task is to be, where it stands, what follows: pure
//! driver    what the engine needs of a node; `real` is this machine, `sim` one in memory
//! run       one actor per task: event → state, written down → effects
//! journal   the records that survive `kill -9`
//! channel   the websocket to the control plane (ACS)
//! telemetry what containers use, sampled and told (TCS)
//! api       registration and news of tasks, signed
//! metadata  what a task may learn of itself at 169.254.170.2
//! node      all of it put together
//! logs      what containers printed, from disk
//! ```

pub mod api;
pub mod channel;
pub mod driver;
pub mod engine;
pub mod journal;
pub mod logs;
pub mod metadata;
pub mod node;
pub mod real;
pub mod run;
pub mod sim;
pub mod telemetry;
pub mod upstream;

pub use node::{Agent, Error, Handle, Options};
