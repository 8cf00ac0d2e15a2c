//! Where functions run. The service that knows functions hands over one invocation at a time with the description of
//! the version to run; which execution environment takes it is decided here.
//!
//! Who does what:
//!
//! - The **service** has functions, versions, aliases, permissions, the queue of asynchronous invocations with its
//!   retries, and counts what runs at once: an invocation that comes here is within every limit of its account.
//! - The **node** has execution environments: it makes one, initializes the runtime in it, hands it one invocation at a
//!   time, freezes it in between, gives it the next invocation of the same [`Spec::revision`], and ends it when it idled
//!   for long, when its credentials run out, after a time-out or a crash, or when its revision is [retired]. It bounds
//!   what a machine can hold ([`Error::NoRoom`]) and measures ([`Report`]).
//!
//! [retired]: Sandboxes::retire

mod host;
pub mod lines;
mod outcome;
mod spec;
#[cfg(feature = "testing")]
pub mod testing;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use host::{Credentials, Host, HostError, LogLine};
pub use outcome::{Ending, Failure, Outcome, Report, Why};
pub use spec::{Architecture, Content, Image, Invocation, Package, ResolvedImage, Spec, Zip};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long a runtime may take to begin; one that is late begins once more, with the time of an invocation.
pub const INIT_WITHIN: Duration = Duration::from_secs(10);
/// For making environments, and for collecting what they print.
const BESIDES: Duration = Duration::from_secs(120);

/// No invocation takes longer until its outcome is told: the wait for an environment that is still busy, one that does not
/// begin in time, its second beginning, and the code, which has `timeout`.
pub fn longest(timeout: Duration) -> Duration {
    timeout + INIT_WITHIN + timeout + timeout + BESIDES
}

/// Execution environments of functions.
pub trait Sandboxes: Send + Sync + 'static {
    /// By which runtime of this machine the identifier (`python3.9`) is run, which may be the nearest newer one.
    ///
    /// # Errors
    /// No runtime of that family can be had here; why, for the user.
    fn runtime(&self, identifier: &str) -> Result<Runtime, String>;

    /// What a reference to an image leads to now; whatever becomes of its name or its registry, the image stays here until
    /// [`Sandboxes::keep_images`] does not name it.
    ///
    /// # Errors
    /// It cannot be had, or cannot run here.
    fn image<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<ResolvedImage, ImageError>>;

    /// Functions need these images ([`ResolvedImage::name`]) from now on, and no others; environments that run keep theirs.
    fn keep_images<'a>(&'a self, names: BTreeSet<String>) -> BoxFuture<'a, ()>;

    /// Runs one invocation to its end. Invocations of the same revision that overlap run in environments of their own.
    /// An invocation goes on when the future is dropped; its environment is free again afterwards.
    ///
    /// # Errors
    /// The code was not run. What the code did wrong is an [`Outcome`].
    fn invoke<'a>(
        &'a self,
        spec: &'a Arc<Spec>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Outcome, Error>>;

    /// No further invocation of this revision will come: the function was changed or deleted. Its idle environments end
    /// now, busy ones after what they do. An unknown revision is none that was ever invoked.
    fn retire<'a>(&'a self, revision: &'a str) -> BoxFuture<'a, ()>;
}

/// What runs functions of a runtime's identifier here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// `python3.11`, `nodejs18.x`, `provided`.
    pub runs: String,
}

/// Why an image is none to run functions of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No reference to an image.
    #[error("{0}")]
    Malformed(String),
    /// The registry does not have it.
    #[error("{0}")]
    Missing(String),
    /// The registry does not let this machine have it.
    #[error("{0}")]
    Denied(String),
    /// For other machines, or of a kind that is not known.
    #[error("{0}")]
    Unsupported(String),
    /// The registry does not answer, or the machine has no room.
    #[error("{0}")]
    Failed(String),
}

/// Why an invocation did not come to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The runtime is known and not prepared, as before its layer was installed; what to do about it.
    #[error("the runtime {runtime} cannot be run here: {reason}")]
    NoRuntime { runtime: String, reason: String },
    /// The image of the function is not here any more, and its registry did not give it again.
    #[error("the image {image} cannot be had: {reason}")]
    NoImage { image: String, reason: String },
    /// The machine holds as many environments as it can, and all are busy. Later there may be room.
    #[error("no room for another execution environment: {0}")]
    NoRoom(String),
    /// From [`Host::credentials`].
    #[error(transparent)]
    Host(#[from] HostError),
    /// The machine, not the function.
    #[error("the execution environment failed: {0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_invocation_begins_twice_and_runs_to_its_timeout() {
        for seconds in [1, 900] {
            let timeout = Duration::from_secs(seconds);
            assert!(longest(timeout) > INIT_WITHIN + 2 * timeout, "{seconds}");
        }
    }
}
