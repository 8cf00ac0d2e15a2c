//! Where what comes in volume lies: log lines, metric samples, messages. They are many, small, written once and read
//! by ranges, which is what a log-structured tree is for and a store with etcd's semantics is not. A write is durable
//! when it returns; writers at the same time share one sync of the disk.

mod batch;
mod error;
mod numbers;
mod space;
mod writer;

use std::path::Path;
use std::sync::Arc;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, KeyspaceCreateOptions};

pub use batch::Batch;
pub use error::{Error, Result};
pub use numbers::Numbers;
pub use space::{Pair, Space};

/// How a volume is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of blocks that were read.
    pub cache_bytes: u64,
    /// Of each space, in memory before it goes to a table of its own.
    pub memtable_bytes: u64,
    /// Gone when the last handle is.
    pub temporary: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 8 << 20,
            memtable_bytes: 8 << 20,
            temporary: false,
        }
    }
}

/// A folder of ordered spaces. Cheap to clone.
#[derive(Clone)]
pub struct Volume(Arc<Inner>);

struct Inner {
    database: Database,
    options: Options,
    writer: writer::Writer,
}

impl std::fmt::Debug for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volume")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

impl Volume {
    /// Opens the folder, which is made if it is not there; what a crash left is recovered. Blocks.
    ///
    /// # Errors
    /// It cannot be read, or another process has it open.
    pub fn open(folder: &Path, options: Options) -> Result<Self> {
        let database = Database::builder(folder)
            .cache_size(options.cache_bytes)
            .worker_threads(1)
            .max_journaling_size(64 << 20)
            .max_cached_files(Some(128))
            .temporary(options.temporary)
            .open()
            .map_err(|source| Error::Open {
                folder: folder.to_owned(),
                source,
            })?;
        let writer = writer::Writer::start(database.clone())?;
        Ok(Self(Arc::new(Inner {
            database,
            options,
            writer,
        })))
    }

    /// A space by its name, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn space(&self, name: &'static str) -> Result<Space> {
        let memtable = self.0.options.memtable_bytes;
        let options = move || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable)
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        };
        let keyspace = self.0.database.keyspace(name, options).map_err(Error::Write)?;
        Ok(Space { keyspace })
    }

    /// Writes all of it or nothing. Durable when it returns.
    ///
    /// # Errors
    /// The disk refused it, after which the volume takes no more.
    pub async fn write(&self, batch: Batch) -> Result<()> {
        self.0.writer.write(batch).await
    }

    /// Bytes on disk.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn disk_bytes(&self) -> Result<u64> {
        self.0.database.disk_space().map_err(Error::Read)
    }
}
