//! How the daemon is told to end, and what becomes of its tasks then.

use anyhow::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What `roadstead down` sends; see [`Ending::Down`].
pub(crate) const DOWN: nix::sys::signal::Signal = nix::sys::signal::Signal::SIGUSR2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Ctrl-C or SIGTERM: the daemon ends, its tasks live on.
    Detach,
    /// Tasks end too, and every trace of them goes.
    Down,
}

pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    down: Signal,
}

impl Signals {
    /// From here on these signals end nothing by themselves.
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            down: signal(SignalKind::user_defined2())?,
        })
    }

    pub(crate) async fn ending(&mut self) -> Ending {
        tokio::select! {
            _ = self.interrupt.recv() => Ending::Detach,
            _ = self.terminate.recv() => Ending::Detach,
            _ = self.down.recv() => Ending::Down,
        }
    }
}
