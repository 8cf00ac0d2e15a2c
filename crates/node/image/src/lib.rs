//! A task names an image; a container needs directories. This crate is what lies between: it resolves the name,
//! fetches from a registry (or reads from a file) only what the node does not have yet, checks every byte against
//! its digest, unpacks each layer once into a directory that overlayfs takes as it is, and keeps what is in use.
//!
//! ```text
//! reference  what people write, normalised
//! registry   the pull protocol: endpoints, authentication, retries, resumption
//! pull       a reference to an image in the store; shared by those who ask at once
//! import     the same from an OCI layout or a docker-archive
//! layer      decompress, measure, hash; unpack: tar to directory, confined
//! clean      what nobody uses goes after a while; room: the bound on the store
//! logins     who the operator is at which registry
//! pins       who relies on which image
//! store      names, documents, layers, pins on disk; crash-safe, shared between processes
//! ```
//!
//! Registries, archives and layers are hostile until proven otherwise. Plain http is spoken to loopback addresses
//! and to mirrors that the operator wrote with `http://`, and to nobody else.

mod clean;
mod digest;
mod error;
mod flight;
mod images;
mod import;
mod layer;
mod logins;
mod model;
mod options;
mod pins;
mod progress;
mod pull;
mod reference;
mod registry;
mod room;
mod store;
mod unpack;
mod zstd;

pub use clean::Cleanup;
pub use digest::Digest;
pub use error::{Error, Result};
pub use images::{Image, ImageSummary, Images};
pub use model::ImageConfig;
pub use options::{Limits, Mirror, NodeClock, Options, Platform, PullBehaviour};
pub use pins::{FUNCTION_PINS, Pin};
pub use progress::{LayerProgress, Phase, Progress};
pub use reference::{DEFAULT_REGISTRY, Reference, Version};
pub use registry::Auth;
pub use store::Removed;
