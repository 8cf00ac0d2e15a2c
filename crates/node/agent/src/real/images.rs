//! Which image a container gets: the registry's, or the one that is here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use roadstead_acs::RoleCredentials;
use roadstead_image::{Auth, FUNCTION_PINS, Image, Images, PullBehaviour};
use tokio::task::JoinSet;

use super::{failed, registry};
use crate::api::Client;
use crate::driver::{Failure, Result};
use crate::engine::spec::Container;
use crate::journal::{self, Journal};

/// Pulled images remembered; beyond it, any one is taken for imported.
const MOST_PULLED: usize = 10_000;
const KIND: &str = "images";
const KEY: &str = "images/pulled";

pub(super) struct Supply {
    images: Images,
    behaviour: PullBehaviour,
    /// How long a registry may take when the image is here anyway.
    patience: Duration,
    /// `reference digest` of what was pulled.
    pulled: Mutex<BTreeSet<String>>,
    /// From pull to create, by runtime id.
    ready: Mutex<BTreeMap<String, Image>>,
    secrets: OnceLock<Client>,
    /// Ends with the supply.
    _cleaning: JoinSet<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supply {
    pub(super) async fn open(
        images: Images,
        journal: &dyn Journal,
        behaviour: PullBehaviour,
        patience: Duration,
    ) -> Result<Self> {
        let pulled = match journal.all(KIND).await.map_err(failed)?.get("pulled") {
            Some(text) => journal::read(KEY, text).map_err(failed)?,
            None => BTreeSet::new(),
        };
        let mut cleaning = JoinSet::new();
        if behaviour != PullBehaviour::PreferCached {
            let images = images.clone();
            cleaning.spawn(async move { images.keep_clean().await });
        }
        Ok(Self {
            _cleaning: cleaning,
            images,
            behaviour,
            patience,
            pulled: Mutex::new(pulled),
            ready: Mutex::default(),
            secrets: OnceLock::new(),
        })
    }

    /// Where registries' credentials are asked for; the first call counts.
    pub(super) fn ask_secrets_of(&self, client: Client) {
        let _ = self.secrets.set(client);
    }

    pub(super) fn images(&self) -> &Images {
        &self.images
    }

    /// Makes the container's image be here, pinned for it.
    pub(super) async fn pull(
        &self,
        journal: &dyn Journal,
        container: &Container,
        keys: Option<&RoleCredentials>,
    ) -> Result<Image> {
        // Also for an image that is here: whoever may not have it must not get it because another task did.
        let auth = match &container.registry {
            Some(registry) => registry::fetch(self.secrets.get(), registry, keys).await?,
            None => Auth::Anonymous,
        };
        let mut image = self.choose(journal, &container.image, auth.clone()).await?;
        if let Err(error) = self.images.pin(&image, &container.runtime_id) {
            // Removed in the moment between; it is not here any more, so it is asked for again.
            tracing::debug!(image = container.image, %error, "the image went before it was pinned");
            image = self.choose(journal, &container.image, auth).await?;
            self.images.pin(&image, &container.runtime_id).map_err(failed)?;
        }
        lock(&self.ready).insert(container.runtime_id.clone(), image.clone());
        Ok(image)
    }

    async fn choose(&self, journal: &dyn Journal, reference: &str, auth: Auth) -> Result<Image> {
        let local = match self.images.get(reference) {
            Err(roadstead_image::Error::Damaged { reference, why }) => {
                tracing::warn!(reference, why, "the image is damaged and is pulled again");
                None
            }
            local => local.map_err(failed)?,
        };
        // A function's pull counts too, of which the store knows by the tag.
        let by_function = |image: &Image| image.tracked && image.reference.digest().is_none();
        let imported = |image: &Image| !by_function(image) && !was_pulled(&lock(&self.pulled), image);
        let (cached, patience) = match (self.behaviour, local) {
            (PullBehaviour::PreferCached, Some(image)) => return Ok(image),
            (PullBehaviour::Once, Some(image)) if !imported(&image) => return Ok(image),
            (PullBehaviour::Default, Some(image)) if imported(&image) => {
                tracing::info!(image = reference, "imported here: no registry is asked for it");
                return Ok(image);
            }
            (PullBehaviour::Default, Some(image)) => (Some(image), Some(self.patience)),
            _ => (None, None),
        };
        let private = auth != Auth::Anonymous;
        let pull = self.images.pull(reference, auth);
        let outcome = match patience {
            None => pull.await.map_err(failed),
            Some(patience) => match tokio::time::timeout(patience, pull).await {
                // The image being here is no way around the registry's no.
                Ok(Err(denied @ roadstead_image::Error::Denied { .. })) if private => {
                    return Err(failed(denied));
                }
                Ok(outcome) => outcome.map_err(failed),
                Err(_) => Err(Failure(format!(
                    "the registry did not answer within {} s",
                    patience.as_secs()
                ))),
            },
        };
        match (outcome, cached) {
            (Ok(image), _) => {
                self.remember(journal, &image).await;
                Ok(image)
            }
            (Err(error), Some(image)) => {
                tracing::warn!(image = reference, %error, "not pulled; the image that is here is used");
                Ok(image)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn remember(&self, journal: &dyn Journal, image: &Image) {
        let text = {
            let mut pulled = lock(&self.pulled);
            if !pulled.insert(mark(image)) {
                return;
            }
            while pulled.len() > MOST_PULLED {
                pulled.pop_first();
            }
            journal::write(&*pulled)
        };
        let saved = match text {
            Ok(text) => journal.put(KEY, text).await.map_err(failed),
            Err(error) => Err(failed(error)),
        };
        if let Err(error) = saved {
            tracing::warn!(%error, "that the image was pulled will be forgotten at the next start");
        }
    }

    /// The image that was pulled for a container; after a restart, the one that its reference means now.
    pub(super) fn image_of(&self, container: &Container) -> Result<Image> {
        if let Some(image) = lock(&self.ready).get(&container.runtime_id) {
            return Ok(image.clone());
        }
        let image = self.images.get(&container.image).map_err(failed)?;
        let image =
            image.ok_or_else(|| Failure(format!("the image {} is not here any more", container.image)))?;
        self.images.pin(&image, &container.runtime_id).map_err(failed)?;
        Ok(image)
    }

    /// The container does not need its image any more.
    pub(super) async fn release(&self, container: &Container) -> Result<()> {
        lock(&self.ready).remove(&container.runtime_id);
        self.images
            .unpin(&container.runtime_id)
            .await
            .map(drop)
            .map_err(failed)
    }

    /// Gives back the pins of containers that are not among `keep`. Those of functions are not this agent's.
    pub(super) async fn retain(&self, keep: BTreeSet<String>) -> Result<()> {
        self.images
            .retain_pins(move |pin| pin.owner.starts_with(FUNCTION_PINS) || keep.contains(&pin.owner))
            .await
            .map(drop)
            .map_err(failed)
    }

    /// Where the store is.
    pub(super) fn root(&self) -> PathBuf {
        self.images.root()
    }
}

/// Whether it was pulled by its reference, or, for a digest, by any of the same repository that led there.
fn was_pulled(pulled: &BTreeSet<String>, image: &Image) -> bool {
    if pulled.contains(&mark(image)) {
        return true;
    }
    if image.reference.digest().is_none() {
        return false;
    }
    let (name, digest) = (image.reference.name(), format!(" {}", image.digest));
    pulled.iter().any(|mark| {
        let reference = mark.strip_suffix(&digest);
        let version = reference.and_then(|reference| reference.strip_prefix(&name));
        version.is_some_and(|version| version.starts_with([':', '@']))
    })
}

fn mark(image: &Image) -> String {
    format!("{} {}", image.reference, image.digest)
}

#[cfg(test)]
mod tests {
    use roadstead_image::{Digest, Reference};

    use super::*;

    /// What came by a tag is no import when it is asked for by its digest: its registry still has a say.
    #[test]
    fn what_was_pulled_by_a_tag_was_pulled_by_its_digest_too() {
        let digest =
            |letter: &str| Digest::parse(&format!("sha256:{}", letter.repeat(64))).expect("a digest");
        let image = |reference: &str, letter: &str| Image {
            reference: Reference::parse(reference).expect("a reference"),
            digest: digest(letter),
            manifest_digest: digest(letter),
            image_id: digest("0"),
            config: roadstead_image::ImageConfig::default(),
            layers: Vec::new(),
            size: 0,
            tracked: false,
        };
        let pulled = BTreeSet::from([mark(&image("host:5000/a/app:1", "1"))]);
        let pinned = format!("host:5000/a/app@{}", digest("1"));
        for (reference, letter, wanted) in [
            ("host:5000/a/app:1", "1", true),
            ("host:5000/a/app:1", "2", false),
            ("host:5000/a/app:2", "1", false),
            (pinned.as_str(), "1", true),
            (pinned.replace("1@", "2@").as_str(), "2", false),
            (pinned.replace("app", "application").as_str(), "1", false),
            (pinned.replace("app", "ap").as_str(), "1", false),
        ] {
            assert_eq!(
                was_pulled(&pulled, &image(reference, letter)),
                wanted,
                "{reference}"
            );
        }
    }
}
