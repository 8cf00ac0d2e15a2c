//! What simulated containers print, and how far it is known to be sent.

use async_trait::async_trait;
use roadstead_runtime::{LogLine, LogPlace, LogRead, Stream};

use super::{Phase, SimNode};
use crate::driver::{LogSource, Result};

/// A log in which each line takes one byte.
pub(super) struct SimLog {
    node: SimNode,
    container: String,
    next: u64,
}

impl SimLog {
    /// From the line with this number on.
    pub(super) fn new(node: SimNode, container: &str, next: u64) -> Self {
        Self {
            node,
            container: container.to_owned(),
            next,
        }
    }
}

fn place(total: u64) -> LogPlace {
    LogPlace {
        inode: 1,
        offset: total,
        total,
    }
}

#[async_trait]
impl LogSource for SimLog {
    fn place(&self) -> LogPlace {
        place(self.next)
    }

    async fn next(&mut self) -> Result<LogRead> {
        let state = self.node.state();
        let Some(made) = state.containers.get(&self.container) else {
            return Ok(LogRead::Ended);
        };
        let line = usize::try_from(self.next)
            .ok()
            .and_then(|next| made.printed.get(next));
        let Some(line) = line else {
            let ended = matches!(&*made.phase.borrow(), Phase::Exited(..));
            return Ok(if ended { LogRead::Ended } else { LogRead::Quiet });
        };
        self.next += 1;
        Ok(LogRead::Line {
            line: LogLine {
                time: self.node.clock.now().to_rfc3339(),
                stream: Stream::Stdout,
                partial: false,
                bytes: line.clone().into_bytes(),
            },
            from: place(self.next - 1),
            to: place(self.next),
        })
    }

    async fn sent(&mut self, place: LogPlace) -> Result<()> {
        if let Some(made) = self.node.state().containers.get_mut(&self.container) {
            made.sent = made.sent.max(place.total);
        }
        Ok(())
    }
}
