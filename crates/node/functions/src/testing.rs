//! A fake for the tests of others: the code of every function is a closure, and environments are made, reused and
//! retired in memory as the real ones are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roadstead_base::Timestamp;

use crate::{
    BoxFuture, Ending, Error, Failure, ImageError, Invocation, LogLine, Outcome, Report, ResolvedImage,
    Runtime, Sandboxes, Spec, lines,
};

/// Of which families it has every runtime.
const FAMILIES: [&str; 3] = ["python3.", "nodejs", "provided"];

/// What each environment holds at most, as it says.
const MEMORY_MB: u32 = 35;

/// What the code does: what it prints, and how it ends.
pub type Code = dyn Fn(Arc<Spec>, Invocation) -> BoxFuture<'static, Result<Ran, Error>> + Send + Sync;

/// How an invocation of the fake went.
#[derive(Clone, Debug)]
pub struct Ran {
    pub printed: Vec<String>,
    pub ending: Ending,
}

impl Ran {
    pub fn returned(payload: impl Into<bytes::Bytes>) -> Self {
        Self {
            printed: Vec::new(),
            ending: Ending::Returned(payload.into()),
        }
    }

    pub fn failed(failure: Failure) -> Self {
        Self {
            printed: Vec::new(),
            ending: Ending::Failed(failure),
        }
    }

    #[must_use]
    pub fn printing(mut self, line: &str) -> Self {
        self.printed.push(line.to_owned());
        self
    }
}

#[derive(Default)]
struct State {
    /// Streams of idle environments by revision.
    idle: BTreeMap<String, Vec<String>>,
    made: usize,
    invoked: Vec<(Arc<Spec>, Invocation)>,
    retired: Vec<String>,
    /// What registries have, by reference.
    images: BTreeMap<String, Result<ResolvedImage, ImageError>>,
    /// What was said last of images that are needed.
    kept: BTreeSet<String>,
    /// Images that were asked for.
    resolving: usize,
}

/// Environments whose code is a closure. Each takes 2.5 ms, and 100 ms to initialize.
pub struct Fake {
    code: Box<Code>,
    state: Mutex<State>,
    /// When closed, invocations wait in their environments.
    gate: gate::Gate,
    /// When closed, registries are slow.
    registry: gate::Gate,
}

/// A gate without a runtime of its own: who comes polls until it is open.
mod gate {
    use std::sync::Mutex;
    use std::task::{Poll, Waker};

    #[derive(Default)]
    pub(super) struct Gate(Mutex<(bool, Vec<Waker>)>);

    impl Gate {
        pub(super) fn close(&self) {
            if let Ok(mut state) = self.0.lock() {
                state.0 = true;
            }
        }

        pub(super) fn open(&self) {
            if let Ok(mut state) = self.0.lock() {
                state.0 = false;
                state.1.drain(..).for_each(Waker::wake);
            }
        }

        pub(super) async fn pass(&self) {
            std::future::poll_fn(|cx| match self.0.lock() {
                Ok(mut state) if state.0 => {
                    state.1.push(cx.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            })
            .await;
        }
    }
}

impl Fake {
    pub fn of(code: impl Fn(&Spec, &Invocation) -> Result<Ran, Error> + Send + Sync + 'static) -> Arc<Self> {
        Self::doing(move |spec, invocation| Box::pin(std::future::ready(code(&spec, &invocation))))
    }

    /// One whose code waits for others.
    pub fn doing(
        code: impl Fn(Arc<Spec>, Invocation) -> BoxFuture<'static, Result<Ran, Error>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            code: Box::new(code),
            state: Mutex::default(),
            gate: gate::Gate::default(),
            registry: gate::Gate::default(),
        })
    }

    /// From now on invocations wait, each in an environment of its own.
    pub fn hold(&self) {
        self.gate.close();
    }

    /// Lets those that wait go on.
    pub fn release(&self) {
        self.gate.open();
    }

    /// What came, in order.
    pub fn invoked(&self) -> Vec<(Arc<Spec>, Invocation)> {
        self.lock().invoked.clone()
    }

    /// How many environments were ever made.
    pub fn made(&self) -> usize {
        self.lock().made
    }

    pub fn retired(&self) -> Vec<String> {
        self.lock().retired.clone()
    }

    /// From now on the reference leads there.
    pub fn offer_image(&self, uri: &str, image: Result<ResolvedImage, ImageError>) {
        self.lock().images.insert(uri.to_owned(), image);
    }

    /// From now on nobody hears what a reference leads to.
    pub fn hold_registry(&self) {
        self.registry.close();
    }

    pub fn release_registry(&self) {
        self.registry.open();
    }

    /// How often anybody asked what a reference leads to.
    pub fn resolving(&self) -> usize {
        self.lock().resolving
    }

    pub fn kept_images(&self) -> BTreeSet<String> {
        self.lock().kept.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, spec: &Arc<Spec>, invocation: Invocation) -> Result<Outcome, Error> {
        let (stream, fresh) = {
            let mut state = self.lock();
            state.invoked.push((Arc::clone(spec), invocation.clone()));
            match state.idle.get_mut(&spec.revision).and_then(Vec::pop) {
                Some(stream) => (stream, false),
                None => {
                    state.made += 1;
                    let name = format!("{:032x}", state.made);
                    (lines::stream(Timestamp(0), &spec.version, &name), true)
                }
            }
        };
        if fresh {
            spec.host.credentials(spec).await?;
        }
        self.gate.pass().await;
        let Ran { printed, ending } = (self.code)(Arc::clone(spec), invocation.clone()).await?;
        let report = Report {
            duration: Duration::from_micros(2_500),
            init: fresh.then_some(Duration::from_millis(100)),
        };
        let failure = match &ending {
            Ending::Returned(_) => None,
            Ending::Failed(failure) => Some(failure),
        };
        let id = &invocation.request_id;
        let mut said = vec![lines::start(id, &spec.version)];
        said.extend(printed);
        said.push(lines::end(id));
        said.push(lines::report(id, spec, &report, MEMORY_MB, failure));
        let log_tail = invocation.tail.then(|| {
            let lines = said.iter().map(|line| [line.as_bytes(), b"\n"].concat());
            lines.flatten().collect()
        });
        let line = |message| LogLine {
            at: Timestamp(0),
            message,
        };
        spec.host
            .log(spec, &stream, said.into_iter().map(line).collect())
            .await;
        let mut state = self.lock();
        if !state.retired.contains(&spec.revision) {
            state
                .idle
                .entry(spec.revision.clone())
                .or_default()
                .push(stream.clone());
        }
        Ok(Outcome {
            ending,
            report,
            log_stream: stream,
            log_tail,
        })
    }
}

impl Sandboxes for Fake {
    fn runtime(&self, identifier: &str) -> Result<Runtime, String> {
        match FAMILIES.iter().any(|family| identifier.starts_with(family)) {
            true => Ok(Runtime {
                runs: identifier.to_owned(),
            }),
            false => Err(format!("Roadstead runs no functions of the runtime {identifier}")),
        }
    }

    fn image<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<ResolvedImage, ImageError>> {
        Box::pin(async move {
            self.lock().resolving += 1;
            self.registry.pass().await;
            let found = self.lock().images.get(uri).cloned();
            let missing = || Err(ImageError::Missing(format!("{uri}: not found")));
            found.unwrap_or_else(missing)
        })
    }

    fn keep_images<'a>(&'a self, names: BTreeSet<String>) -> BoxFuture<'a, ()> {
        self.lock().kept = names;
        Box::pin(std::future::ready(()))
    }

    fn invoke<'a>(
        &'a self,
        spec: &'a Arc<Spec>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Outcome, Error>> {
        Box::pin(self.run(spec, invocation))
    }

    fn retire<'a>(&'a self, revision: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut state = self.lock();
            state.idle.remove(revision);
            state.retired.push(revision.to_owned());
        })
    }
}
