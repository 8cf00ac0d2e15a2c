//! One invocation in an environment, to its end.

use std::time::{Duration, Instant};

use roadstead_functions::{Ending, Failure, Invocation, Outcome, Package, Report, Why, lines};
use roadstead_runtime::Exit;
use tokio::sync::{Notify, watch};

use super::saying::Said;
use super::{Environment, InitFailure};
use crate::api;
use crate::exchange::{Answer, Event};
use crate::node::Inner;

const MIB: u64 = 1 << 20;

/// How an invocation ended, before anybody knows what it used.
enum End {
    Answered(Answer),
    Exited(Exit),
    TimedOut,
}

/// What an invocation came to. The environment has to be closed with it before it takes another.
pub(crate) struct Over {
    /// Whether the environment can take another.
    pub(crate) usable: bool,
    request_id: String,
    ending: Ending,
    report: Report,
    said: Said,
}

impl Environment {
    /// One invocation, until its answer is there.
    pub(crate) async fn invoke(&self, inner: &Inner, invocation: Invocation) -> Over {
        let id = invocation.request_id.clone();
        let now = inner.clock.now();
        let mut said = Said::default();
        said.add(self.line(now, lines::start(&id, &self.spec.version)));
        let timeout = self.spec.timeout;
        let deadline = now.plus_millis(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        let mut exit = self.exit.clone();
        let over = Notify::new();
        let began = Instant::now();
        self.exchange.offer(Event { invocation, deadline });
        let ending = async {
            let end = tokio::select! {
                biased;
                answer = self.exchange.answered() => End::Answered(answer),
                exit = exited(&mut exit) => End::Exited(exit),
                () = tokio::time::sleep(timeout) => End::TimedOut,
            };
            let duration = began.elapsed();
            over.notify_one();
            (end, duration)
        };
        let ((end, duration), ()) = tokio::join!(ending, self.carry(inner, &over, &mut said));
        if matches!(end, End::TimedOut)
            && let Err(error) = inner.runtime.kill(&self.id).await
        {
            tracing::warn!(container = %self.id, %error, "an invocation that timed out could not be killed");
        }
        let duration = duration.min(timeout);
        let init = self
            .init
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        let (ending, usable) = self.judge(&id, end);
        Over {
            usable,
            request_id: id,
            ending,
            report: Report { duration, init },
            said,
        }
    }

    /// What the caller hears, before the environment is closed.
    pub(crate) fn outcome(&self, over: &Over) -> Outcome {
        Outcome {
            ending: over.ending.clone(),
            report: over.report,
            log_stream: self.stream.clone(),
            log_tail: None,
        }
    }

    /// What the first invocation came to, of an environment that did not begin.
    pub(crate) async fn refused(
        &self,
        inner: &Inner,
        request_id: &str,
        why: InitFailure,
        took: Duration,
    ) -> Outcome {
        let mut said = Said::default();
        said.add(self.line(inner.clock.now(), lines::start(request_id, &self.spec.version)));
        let failure = match why {
            InitFailure::Reported(body) => Failure::init(body),
            InitFailure::Exited(Exit { oom_killed: true, .. }) => Failure::out_of_memory(request_id),
            InitFailure::Exited(exit) => {
                let Failure { why: _, body } = Failure::exited(request_id, how(&exit).as_deref());
                Failure::init(body)
            }
            InitFailure::NotStarted(reason) => match &self.spec.package {
                Package::Zip(_) => {
                    let Failure { why: _, body } = Failure::exited(request_id, Some(&reason));
                    Failure::init(body)
                }
                Package::Image(_) => Failure::invalid_entry_point(request_id, &reason),
            },
            InitFailure::Late => Failure::timed_out(request_id, self.spec.timeout),
        };
        if let Err(error) = inner.runtime.kill(&self.id).await {
            tracing::warn!(container = %self.id, %error, "an environment that did not begin could not be killed");
        }
        let over = Over {
            usable: false,
            request_id: request_id.to_owned(),
            ending: Ending::Failed(failure),
            report: Report {
                duration: took,
                init: None,
            },
            said,
        };
        let outcome = self.outcome(&over);
        Outcome {
            log_tail: Some(self.close(inner, over).await),
            ..outcome
        }
    }

    fn judge(&self, request_id: &str, end: End) -> (Ending, bool) {
        let failure = match end {
            End::Answered(Answer::Response(payload)) => return (Ending::Returned(payload), true),
            End::Answered(Answer::Error(body)) => return (Ending::Failed(Failure::handler(body)), true),
            End::Answered(Answer::TooLarge(bytes)) => {
                return (Ending::Failed(Failure::too_large(bytes, api::MOST_BYTES)), true);
            }
            End::TimedOut => Failure::timed_out(request_id, self.spec.timeout),
            End::Exited(exit) if exit.oom_killed => Failure::out_of_memory(request_id),
            End::Exited(exit) => Failure::exited(request_id, how(&exit).as_deref()),
        };
        (Ending::Failed(failure), false)
    }

    /// What was printed, END and REPORT go to the log; the end of it all.
    pub(crate) async fn close(&self, inner: &Inner, over: Over) -> Vec<u8> {
        let Over {
            usable: _,
            request_id,
            ending,
            report,
            mut said,
        } = over;
        self.level(inner, &mut said).await;
        let failure = match &ending {
            Ending::Returned(_) => None,
            Ending::Failed(failure) => Some(failure),
        };
        let now = inner.clock.now();
        // The platform's own word, where the runtime had none.
        match failure {
            Some(Failure {
                why: Why::TimedOut, ..
            }) => said.add(self.line(now, lines::timed_out(now, &request_id, self.spec.timeout))),
            Some(Failure {
                why: Why::OutOfMemory | Why::Exited,
                body,
            }) => {
                let message: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                let message = message["errorMessage"].as_str().unwrap_or_default().to_owned();
                said.add(self.line(now, message));
            }
            _ => {}
        }
        said.add(self.line(now, lines::end(&request_id)));
        let report = lines::report(&request_id, &self.spec, &report, self.memory(), failure);
        said.add(self.line(now, report));
        let Said { lines: rest, tail } = said;
        self.say(rest).await;
        tail.end()
    }

    /// The most that it held so far, in MB.
    fn memory(&self) -> u32 {
        let bytes = self.memory.peak().unwrap_or_default();
        u32::try_from(bytes.div_ceil(MIB))
            .unwrap_or(u32::MAX)
            .min(self.spec.memory_mb)
    }
}

pub(super) async fn exited(exit: &mut watch::Receiver<Option<Exit>>) -> Exit {
    if let Ok(exit) = exit.wait_for(Option::is_some).await
        && let Some(exit) = exit.as_ref()
    {
        return exit.clone();
    }
    // Nobody watches any more: the timeout ends it.
    std::future::pending().await
}

/// `exit status 1`, `signal: killed`; none of one that ended well.
fn how(exit: &Exit) -> Option<String> {
    match (&exit.reason, exit.code) {
        (Some(reason), _) => Some(reason.clone()),
        (None, 0) => None,
        (None, code @ 129..=192) => {
            let name = match code - 128 {
                6 => "aborted".to_owned(),
                9 => "killed".to_owned(),
                11 => "segmentation fault".to_owned(),
                15 => "terminated".to_owned(),
                other => other.to_string(),
            };
            Some(format!("signal: {name}"))
        }
        (None, code) => Some(format!("exit status {code}")),
    }
}
