//! What an environment says: lines of the code and the platform's own, on their way to its log stream.

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Timestamp;
use roadstead_functions::{LogLine, Spec};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::Environment;
use crate::node::Inner;
use crate::output::{Tail, Taken};
use crate::program::Program;

/// Between two looks at what a busy environment prints.
const LOOK: Duration = Duration::from_millis(100);
/// A full log leaves in the pipes of both streams what they hold, a megabyte each at most; each flush after the first makes
/// room for three quarters of that.
const FLUSHES: usize = 4;
/// Batches of lines on their way to the log.
const LOG_BATCHES: usize = 16;

impl Environment {
    pub(super) fn line(&self, at: Timestamp, message: String) -> LogLine {
        LogLine { at, message }
    }

    pub(super) async fn say(&self, lines: Vec<LogLine>) {
        if lines.is_empty() {
            return;
        }
        // The logger ends after the environment.
        let _ = self.log.send(lines).await;
    }

    /// Hands over what is printed until it is over.
    pub(super) async fn carry(&self, inner: &Inner, over: &Notify, said: &mut Said) {
        let over = over.notified();
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let taken = self.output.lock().await.take(inner.clock.now(), None).await;
            let _more = self.took(taken, said);
            // In pieces, so that one that prints on and on is heard while it does.
            if said.lines.is_empty() {
                continue;
            }
            // Nobody waits for a log that does not take them: neither whoever has an answer nor one whose time is over.
            let place = tokio::select! {
                biased;
                place = self.log.reserve() => place,
                () = &mut over => return,
            };
            // The logger ends after the environment.
            if let Ok(place) = place {
                place.send(std::mem::take(&mut said.lines));
            }
        }
    }

    /// Takes all that was printed up to now. What is printed meanwhile is for later: it may never end.
    pub(super) async fn level(&self, inner: &Inner, said: &mut Said) {
        let mut output = self.output.lock().await;
        for _ in 0..FLUSHES {
            let flushed = match output.flush().await {
                Ok(flushed) => flushed,
                Err(error) => {
                    tracing::warn!(container = %self.id, %error, "what a function printed could not be flushed");
                    let taken = output.take(inner.clock.now(), None).await;
                    let _more = self.took(taken, said);
                    break;
                }
            };
            loop {
                let taken = output.take(inner.clock.now(), flushed.end).await;
                let more = self.took(taken, said);
                let lines = std::mem::take(&mut said.lines);
                self.say(lines).await;
                if !more {
                    break;
                }
            }
            if flushed.all {
                break;
            }
        }
        for line in output.rest(inner.clock.now()) {
            said.add(line);
        }
    }

    /// Whether there may be more.
    fn took(&self, taken: roadstead_runtime::Result<Taken>, said: &mut Said) -> bool {
        match taken {
            Ok(Taken { lines, more }) => {
                lines.into_iter().for_each(|line| said.add(line));
                more
            }
            Err(error) => {
                tracing::warn!(container = %self.id, %error, "what a function printed cannot be read");
                false
            }
        }
    }
}

/// What an invocation logs: lines not handed over yet, and the end of all.
#[derive(Default)]
pub(super) struct Said {
    pub(super) lines: Vec<LogLine>,
    pub(super) tail: Tail,
}

impl Said {
    pub(super) fn add(&mut self, line: LogLine) {
        self.tail.add(&line.message);
        self.lines.push(line);
    }
}

/// Nothing of an image, whose runtime is its own affair.
pub(super) fn begins(program: &Program) -> Option<String> {
    let Program::Zip(zip, runtime) = program else {
        return None;
    };
    let version = format!(
        "INIT_START Runtime Version: {} ({})",
        runtime.name, runtime.version
    );
    let other = runtime.name != zip.runtime && !runtime.name.starts_with("provided");
    Some(match other {
        true => format!(
            "{version}\t{} is not on this machine: the function runs on the nearest newer one",
            zip.runtime
        ),
        false => version,
    })
}

/// Hands lines over, in order, until the environment is gone: all that are there by then at once.
pub(super) fn logger(spec: Arc<Spec>, stream: String) -> (mpsc::Sender<Vec<LogLine>>, JoinHandle<()>) {
    let (log, mut batches) = mpsc::channel::<Vec<LogLine>>(LOG_BATCHES);
    let logger = tokio::spawn(async move {
        // Times do not go back, whatever the clock does: the log takes no such lines.
        let mut last = Timestamp(i64::MIN);
        let mut taken = Vec::new();
        while batches.recv_many(&mut taken, LOG_BATCHES).await > 0 {
            let mut lines: Vec<LogLine> = taken.drain(..).flatten().collect();
            for line in &mut lines {
                last = last.max(line.at);
                line.at = last;
            }
            spec.host.log(&spec, &stream, lines).await;
        }
    });
    (log, logger)
}
