//! Execution environments of functions on this machine. Each is a container of its own (see `container`) in which a runtime
//! asks for invocations over the runtime API (see `api`); it stands still between invocations and takes the next one of
//! the same revision.
//!
//! ```text
//! node         which environment takes an invocation; how many there may be; when they end
//! environment  one of them: made, initialized, invoked, ended
//! exchange     where an invocation meets the runtime that asks for one; api: the same over HTTP
//! output       what it prints; tmp: its /tmp; layers: its /opt; variables: what the code finds around it
//! runtimes     what `roadstead runtime install` prepared, and which identifier runs on which
//! images       images that functions are, instead; program: one or the other
//! ```

mod api;
mod container;
mod environment;
mod exchange;
mod images;
mod layers;
mod node;
mod output;
mod program;
mod runtimes;
mod tmp;
mod variables;

pub use images::Supply;
pub use node::{Node, Options, ServeApi};
pub use runtimes::{Failed, Installed, Kind, Runtimes, install};
