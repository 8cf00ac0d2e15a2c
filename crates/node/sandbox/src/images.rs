//! Images that functions are: which one a reference leads to, and that it stays for as long as somebody needs it. Two
//! kinds of pins hold them in the node's store: one for each image that a function names, one for each environment.

use std::collections::BTreeSet;
use std::sync::Arc;

use roadstead_functions::{Error, ImageError, ResolvedImage};
use roadstead_image::{
    Auth, Digest, Error as Fault, FUNCTION_PINS, Image, Images, Options, PullBehaviour, Reference,
};
use roadstead_runtime::ContainerId;

/// Where images come from.
#[derive(Clone, Debug)]
pub struct Supply {
    images: Images,
    behaviour: PullBehaviour,
    most_bytes: u64,
}

fn of_functions() -> String {
    format!("{FUNCTION_PINS}image ")
}

/// The digest of an image in the name that functions have it by.
fn digest(name: &str) -> Option<Digest> {
    Digest::parse(name.rsplit_once('@')?.1).ok()
}

fn of_environments() -> String {
    format!("{FUNCTION_PINS}environment ")
}

impl Supply {
    /// Bytes of all layers of one image, unpacked. Source: "Lambda quotas".
    pub const MOST_BYTES: u64 = 10 << 30;

    /// From this store. A registry is asked what a tag means when `behaviour` says so, as for tasks. A function's image is
    /// never taken from the store because a registry does not answer: the tag may have moved. What has more than
    /// `most_bytes` is not pulled to its end, nor taken if it is here.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn open(mut store: Options, behaviour: PullBehaviour, most_bytes: u64) -> Result<Self, Fault> {
        store.limits.unpacked_bytes = store.limits.unpacked_bytes.min(most_bytes);
        Ok(Self {
            images: Images::open(store).await?,
            behaviour,
            most_bytes,
        })
    }

    pub fn images(&self) -> &Images {
        &self.images
    }

    /// What the reference leads to now, held for functions.
    pub(crate) async fn resolve(&self, uri: &str) -> Result<ResolvedImage, ImageError> {
        let reference = Reference::parse(uri).map_err(|error| refusal(&error))?;
        let mut image = self.choose(&reference).await?;
        if image.size > self.most_bytes {
            return Err(ImageError::Unsupported(format!(
                "its layers have {} bytes unpacked, and {} is the most",
                image.size, self.most_bytes
            )));
        }
        if let Err(error) = self.hold(&image).await {
            tracing::debug!(uri, %error, "the image went before it was pinned");
            image = self.choose(&reference).await?;
            self.hold(&image).await.map_err(|error| refusal(&error))?;
        }
        Ok(ResolvedImage {
            name: format!("{}@{}", image.reference.name(), image.manifest_digest),
            size: image.size,
            has_command: !image.config.entrypoint.is_empty() || !image.config.cmd.is_empty(),
        })
    }

    async fn choose(&self, reference: &Reference) -> Result<Image, ImageError> {
        let fixed = reference.digest().is_some();
        let is_enough = |image: &Image| match self.behaviour {
            PullBehaviour::PreferCached => true,
            PullBehaviour::Once => image.tracked,
            // What was imported is known to no registry; what a digest names is the same everywhere.
            PullBehaviour::Default => !image.tracked || fixed,
            PullBehaviour::Always => false,
        };
        let text = reference.to_string();
        match self.local(&text).await.map_err(|error| refusal(&error))? {
            Some(image) if is_enough(&image) => Ok(image),
            _ => {
                let pulled = self.images.pull(&text, Auth::Anonymous).await;
                pulled.map_err(|error| refusal(&error))
            }
        }
    }

    /// Does what waits for the store's lock where that is allowed.
    async fn in_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Images) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let images = self.images.clone();
        let done = tokio::task::spawn_blocking(move || work(&images)).await;
        done.map_err(|error| Fault::Io {
            action: "run",
            path: "image work".into(),
            source: Arc::new(std::io::Error::other(error)),
        })?
    }

    /// The image that is here, whole.
    async fn local(&self, name: &str) -> Result<Option<Image>, Fault> {
        let name = name.to_owned();
        self.in_store(move |images| whole(images.get(&name))).await
    }

    /// The image of a function that is here, whole: what functions hold is theirs under whichever names it is left.
    async fn held(&self, name: &str) -> Result<Option<Image>, Fault> {
        let name = name.to_owned();
        let owner = digest(&name).map(|digest| format!("{}{digest}", of_functions()));
        self.in_store(move |images| {
            let pinned = owner.map(|owner| images.pinned(&owner, &name)).transpose();
            match whole(pinned.map(Option::flatten))? {
                Some(image) => Ok(Some(image)),
                None => whole(images.get(&name)),
            }
        })
        .await
    }

    async fn hold(&self, image: &Image) -> Result<(), Fault> {
        let owner = format!("{}{}", of_functions(), image.manifest_digest);
        let image = image.clone();
        self.in_store(move |images| images.pin(&image, &owner)).await
    }

    /// The image of a function, by [`ResolvedImage::name`]: the registry is asked only where it went.
    pub(crate) async fn find(&self, name: &str) -> Result<Image, Error> {
        let none = |error: Fault| Error::NoImage {
            image: name.to_owned(),
            reason: error.to_string(),
        };
        if let Some(image) = self.held(name).await.map_err(none)? {
            return Ok(image);
        }
        let image = self.images.pull(name, Auth::Anonymous).await.map_err(none)?;
        self.hold(&image).await.map_err(none)?;
        Ok(image)
    }

    /// Holds these for functions, and no others.
    pub(crate) async fn keep(&self, names: BTreeSet<String>) -> Result<(), Fault> {
        let wanted: BTreeSet<String> = names
            .iter()
            .filter_map(|name| digest(name))
            .map(|one| one.to_string())
            .collect();
        let owners = of_functions();
        let pins = self.in_store(Images::pins).await?;
        let held: BTreeSet<String> = pins
            .into_iter()
            .filter_map(|pin| Some(pin.owner.strip_prefix(&owners)?.to_owned()))
            .collect();
        for name in &names {
            let missing = digest(name).is_some_and(|digest| !held.contains(&digest.to_string()));
            // One that is not here is asked for when it is to run.
            if missing && let Some(image) = self.local(name).await? {
                self.hold(&image).await?;
            }
        }
        if held.is_subset(&wanted) {
            return Ok(());
        }
        let keep = move |owner: &str| {
            owner
                .strip_prefix(&owners)
                .is_none_or(|digest| wanted.contains(digest))
        };
        self.images
            .retain_pins(move |pin| keep(&pin.owner))
            .await
            .map(drop)
    }

    /// Holds an image for an environment, whatever becomes of its function meanwhile.
    pub(crate) async fn occupy(&self, image: &Image, id: &ContainerId) -> Result<(), Fault> {
        let (image, owner) = (image.clone(), format!("{}{id}", of_environments()));
        self.in_store(move |images| images.pin(&image, &owner)).await
    }

    pub(crate) async fn vacate(&self, id: &ContainerId) -> Result<(), Fault> {
        let owner = format!("{}{id}", of_environments());
        self.images.unpin(&owner).await.map(drop)
    }

    /// No environment is left.
    pub(crate) async fn sweep(&self) -> Result<(), Fault> {
        let gone = of_environments();
        self.images
            .retain_pins(move |pin| !pin.owner.starts_with(&gone))
            .await
            .map(drop)
    }
}

/// What is damaged is as good as absent.
fn whole(found: Result<Option<Image>, Fault>) -> Result<Option<Image>, Fault> {
    match found {
        Err(Fault::Damaged { reference, why }) => {
            tracing::warn!(reference, why, "the image is damaged and is pulled again");
            Ok(None)
        }
        found => found,
    }
}

/// The kinds of faults that callers tell apart.
fn refusal(error: &Fault) -> ImageError {
    let why = error.to_string();
    match error {
        Fault::InvalidReference { .. } => ImageError::Malformed(why),
        Fault::NotFound { .. } | Fault::NotLocal { .. } => ImageError::Missing(why),
        Fault::Denied { .. } => ImageError::Denied(why),
        Fault::Platform { .. }
        | Fault::Unsupported { .. }
        | Fault::BadManifest { .. }
        | Fault::BadLayer { .. }
        | Fault::TooLarge { .. } => ImageError::Unsupported(why),
        Fault::Unreachable { .. }
        | Fault::TimedOut { .. }
        | Fault::Registry { .. }
        | Fault::Redirect { .. }
        | Fault::Tls { .. }
        | Fault::DigestMismatch { .. }
        | Fault::StoreFull { .. }
        | Fault::Credentials { .. }
        | Fault::NoSpace { .. }
        | Fault::InUse { .. }
        | Fault::Damaged { .. }
        | Fault::BadArchive { .. }
        | Fault::Store { .. }
        | Fault::Io { .. } => ImageError::Failed(why),
    }
}
