//! The node as it really is: images from registries, containers in shims, interfaces in the kernel.

mod archive;
mod files;
mod images;
mod network;
mod node;
mod registry;
mod shared;
mod signals;
mod spec;
mod storage;
mod volumes;

pub use node::{Dirs, Place, RealNode};
pub use roadstead_image::PullBehaviour;
pub use spec::Allowed;

/// An error with everything that caused it: the person who reads a task's reason sees nothing else.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}

fn failed(error: impl std::error::Error) -> crate::driver::Failure {
    crate::driver::Failure(words(&error))
}
