//! Somebody relies on an image, whatever becomes of its names.

use std::collections::HashSet;

use crate::images::blocking;
use crate::store::{Name, PinRecord};
use crate::{Digest, Error, Image, Images, Reference, Result};

/// Begins the owners of pins that are not an agent's: of functions and their execution environments.
pub const FUNCTION_PINS: &str = "function ";

/// Somebody relies on an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Whatever the owner calls itself, such as a container's id.
    pub owner: String,
    pub manifest_digest: Digest,
}

impl Images {
    /// Keeps the image's directories in place until [`Images::unpin`], also across restarts. An owner has one pin;
    /// a second call replaces it. [`Error::NotLocal`] when the image was removed since it was returned.
    pub fn pin(&self, image: &Image, owner: &str) -> Result<()> {
        let store = &self.inner.store;
        let guard = store.lock()?;
        let gone = || Error::NotLocal {
            reference: image.reference.to_string(),
        };
        let parts = store.parts(&image.manifest_digest)?.ok_or_else(gone)?;
        for diff_id in parts.config.lowers() {
            store.layer(&diff_id)?.ok_or_else(gone)?;
        }
        let pin = PinRecord {
            owner: owner.to_owned(),
            manifest: image.manifest_digest.clone(),
        };
        store.set_pin(&guard, &pin)?;
        store.note_use(&guard, &image.manifest_digest)
    }

    /// Gives an owner's pin back; an image that has lost its last name goes with its last pin. True when there was
    /// a pin.
    pub async fn unpin(&self, owner: &str) -> Result<bool> {
        let owner = owner.to_owned();
        let had = self.retain_pins(move |pin| pin.owner != owner).await?;
        Ok(!had.is_empty())
    }

    /// Every pin.
    pub fn pins(&self) -> Result<Vec<Pin>> {
        let _guard = self.inner.store.lock_shared()?;
        Ok(self.inner.store.pins()?.into_iter().map(Pin::from).collect())
    }

    /// Gives back the pins that `keep` does not want, and returns them. For the start of an agent: what it does not
    /// run any more, nobody does.
    pub async fn retain_pins(&self, keep: impl Fn(&Pin) -> bool + Send + 'static) -> Result<Vec<Pin>> {
        let inner = self.inner.clone();
        blocking(move || {
            let guard = inner.store.lock()?;
            let pins: Vec<Pin> = inner.store.pins()?.into_iter().map(Pin::from).collect();
            let (_, dropped): (Vec<Pin>, Vec<Pin>) = pins.into_iter().partition(|pin| keep(pin));
            for pin in &dropped {
                inner.store.remove_pin(&guard, &pin.owner)?;
                inner.store.note_use(&guard, &pin.manifest_digest)?;
            }
            let named: HashSet<Digest> = inner
                .store
                .names()?
                .into_iter()
                .map(|(name, _)| name.manifest)
                .collect();
            if dropped.iter().any(|pin| !named.contains(&pin.manifest_digest)) {
                inner.collect(guard)?;
            }
            Ok(dropped)
        })
        .await
    }

    /// The image that an owner's pin holds, called `reference`; its names may be gone. [`Error::Damaged`] when it is
    /// not whole.
    pub fn pinned(&self, owner: &str, reference: &str) -> Result<Option<Image>> {
        let reference = Reference::parse(reference)?;
        let store = &self.inner.store;
        let guard = store.lock_shared()?;
        let Some(PinRecord { owner: _, manifest }) = store.pin(owner)? else {
            return Ok(None);
        };
        let mut size = 0;
        for diff_id in store
            .parts(&manifest)?
            .map(|parts| parts.config.lowers())
            .unwrap_or_default()
        {
            size += store.layer(&diff_id)?.map_or(0, |layer| layer.record.size);
        }
        let name = Name {
            reference: reference.clone(),
            digest: manifest.clone(),
            manifest,
            size,
            tracked: false,
        };
        self.inner.image(&guard, &reference, name).map(Some)
    }
}

impl From<PinRecord> for Pin {
    fn from(pin: PinRecord) -> Self {
        Self {
            owner: pin.owner,
            manifest_digest: pin.manifest,
        }
    }
}
