//! When the service was last known to run.

use roadstead_volume::{Batch, Space, Volume};

use crate::error::Result;

const KEY: &[u8] = b"running";

pub(crate) struct Marks {
    volume: Volume,
    space: Space,
}

impl Marks {
    pub(crate) fn open(volume: Volume) -> Result<Self> {
        let space = volume.space("alarm-meta")?;
        Ok(Self { volume, space })
    }

    /// Seconds since 1970; none if it never ran, or what lies there cannot be read.
    pub(crate) fn last(&self) -> Option<i64> {
        let bytes = self.space.get(KEY).ok().flatten()?;
        Some(i64::from_be_bytes(bytes.as_slice().try_into().ok()?))
    }

    pub(crate) async fn set(&self, second: i64) -> Result<()> {
        let mut batch = Batch::default();
        batch.put(&self.space, KEY.to_vec(), second.to_be_bytes().to_vec());
        Ok(self.volume.write(batch).await?)
    }
}
