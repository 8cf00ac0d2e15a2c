//! What happens to a task, and what is to be done about it. Both are plain data: the same machine runs over a
//! real node, a simulated one, and a table in a test.

use roadstead_base::Timestamp;

use super::health::Checked;
use super::state::{Connection, ImageFacts, Namespace};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The node has room.
    Admitted,
    /// The control plane, or the machine's owner, wants it stopped.
    StopWanted {
        reason: Option<String>,
    },
    Pulled {
        container: String,
        image: ImageFacts,
    },
    PullFailed {
        container: String,
        error: String,
    },
    NamespaceReady(Namespace),
    NetworkUp(Namespace),
    NetworkFailed {
        error: String,
    },
    NetworkDown,
    /// The container that holds the namespaces ended by itself.
    PauseEnded,
    Created {
        container: String,
        at: Timestamp,
        connection: Option<Connection>,
    },
    CreateFailed {
        container: String,
        error: String,
    },
    Started {
        container: String,
        at: Timestamp,
    },
    StartFailed {
        container: String,
        error: String,
    },
    /// A new agent found it made, which the old one had not written down any more.
    FoundCreated {
        container: String,
    },
    /// A new agent found its place on the bridge, which the old one had not written down any more.
    FoundConnected {
        container: String,
        connection: Connection,
    },
    /// A new agent found it running, which the old one had not written down any more.
    FoundRunning {
        container: String,
        at: Timestamp,
    },
    Exited {
        container: String,
        exit: Exit,
    },
    Deleted {
        container: String,
    },
    /// A health check has ended.
    Checked {
        container: String,
        checked: Checked,
    },
    /// Volumes, files and limits of the task are gone.
    Finished,
    /// A change is on its way to the control plane.
    Sending {
        number: u64,
    },
    /// It arrived, or was refused for good.
    Settled {
        number: u64,
    },
    /// It did not arrive; it will be tried again.
    NotSent {
        number: u64,
    },
    /// A deadline may have passed.
    Tick,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    pub code: i32,
    pub oom_killed: bool,
    pub at: Timestamp,
    /// Set when the code is not the program's own.
    pub reason: Option<String>,
}

/// Something to do. The driver answers each with an [`Event`], sooner or later and exactly once, except where
/// noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the node for room: [`Event::Admitted`].
    Admit,
    Pull {
        container: String,
    },
    /// Gives up a pull; nothing is answered.
    CancelPull {
        container: String,
    },
    /// Pause container, interface, link-local side: [`Event::NamespaceReady`] perhaps, then
    /// [`Event::NetworkUp`] or [`Event::NetworkFailed`].
    NetworkUp,
    /// Makes a network that is still waiting for something fail at once.
    CancelNetwork,
    /// In reverse, the pause container last.
    NetworkDown,
    Create {
        container: String,
    },
    Start {
        container: String,
    },
    /// Runs the container's health check once.
    Check {
        container: String,
    },
    /// Nothing is answered: what counts is the exit.
    Signal {
        container: String,
        signal: Signal,
    },
    Delete {
        container: String,
    },
    /// Gives resources back to the node; nothing is answered.
    Release,
    /// Removes what the task had outside its containers.
    Finish,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The stop signal by its name or number, as the image or the task definition has it.
    Stop(String),
    Kill,
}
