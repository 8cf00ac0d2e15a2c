//! What can go wrong with a volume.

use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("opening the volume {folder}; is another Roadstead using it?")]
    Open {
        folder: PathBuf,
        #[source]
        source: fjall::Error,
    },
    #[error("starting the writer of a volume")]
    Thread(#[source] std::io::Error),
    #[error("reading a volume")]
    Read(#[source] fjall::Error),
    #[error("writing to a volume")]
    Write(#[source] fjall::Error),
    /// The disk refused a write before; nothing is taken until the volume is opened anew.
    #[error("the volume takes no writes, since one failed: {0}")]
    Failed(String),
}
