//! Images that functions are: which one a reference leads to, and that it stays for as long as somebody needs it. Two
//! kinds of pins hold them in the node's store: one for each image that a function names, one for each environment.

use std::collections::BTreeSet;

use roadstead_functions::{Error, ImageError, ResolvedImage};
use roadstead_image::{Auth, Digest, Error as Fault, FUNCTION_PINS, Image, Images, PullBehaviour, Reference};
use roadstead_runtime::ContainerId;

/// Bytes of all layers of one image, unpacked. Source: "Lambda quotas".
const MOST_BYTES: u64 = 10 << 30;

/// Where images come from.
#[derive(Clone, Debug)]
pub struct Supply {
    pub images: Images,
    /// When a registry is asked what a tag means, as for tasks. A function's image is never taken from the store because a
    /// registry does not answer: the tag may have moved.
    pub behaviour: PullBehaviour,
}

fn of_functions() -> String {
    format!("{FUNCTION_PINS}image ")
}

fn of_environments() -> String {
    format!("{FUNCTION_PINS}environment ")
}

impl Supply {
    /// What the reference leads to now, held for functions.
    pub(crate) async fn resolve(&self, uri: &str) -> Result<ResolvedImage, ImageError> {
        let reference = Reference::parse(uri).map_err(|error| refusal(&error))?;
        let mut image = self.choose(&reference).await?;
        if image.size > MOST_BYTES {
            return Err(ImageError::Unsupported(format!(
                "its layers have {} bytes unpacked, and {MOST_BYTES} is the most",
                image.size
            )));
        }
        if let Err(error) = self.hold(&image) {
            tracing::debug!(uri, %error, "the image went before it was pinned");
            image = self.choose(&reference).await?;
            self.hold(&image).map_err(|error| refusal(&error))?;
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
        match self.local(&text).map_err(|error| refusal(&error))? {
            Some(image) if is_enough(&image) => Ok(image),
            _ => {
                let pulled = self.images.pull(&text, Auth::Anonymous).await;
                pulled.map_err(|error| refusal(&error))
            }
        }
    }

    /// The image that is here, whole.
    fn local(&self, name: &str) -> Result<Option<Image>, Fault> {
        match self.images.get(name) {
            Err(Fault::Damaged { reference, why }) => {
                tracing::warn!(reference, why, "the image is damaged and is pulled again");
                Ok(None)
            }
            local => local,
        }
    }

    fn hold(&self, image: &Image) -> Result<(), Fault> {
        let owner = format!("{}{}", of_functions(), image.manifest_digest);
        self.images.pin(image, &owner)
    }

    /// The image of a function, by [`ResolvedImage::name`]: the registry is asked only where it went.
    pub(crate) async fn find(&self, name: &str) -> Result<Image, Error> {
        let none = |error: &dyn std::fmt::Display| Error::NoImage {
            image: name.to_owned(),
            reason: error.to_string(),
        };
        match self.local(name).map_err(|error| none(&error))? {
            Some(image) => Ok(image),
            None => {
                let pulled = self.images.pull(name, Auth::Anonymous).await;
                pulled.map_err(|error| none(&error))
            }
        }
    }

    /// Holds these for functions, and no others.
    pub(crate) async fn keep(&self, names: BTreeSet<String>) -> Result<(), Fault> {
        let digest = |name: &String| Digest::parse(name.rsplit_once('@')?.1).ok();
        let wanted: BTreeSet<String> = names
            .iter()
            .filter_map(digest)
            .map(|one| one.to_string())
            .collect();
        let owners = of_functions();
        let held: BTreeSet<String> = self
            .images
            .pins()?
            .into_iter()
            .filter_map(|pin| Some(pin.owner.strip_prefix(&owners)?.to_owned()))
            .collect();
        for name in &names {
            let missing = digest(name).is_some_and(|digest| !held.contains(&digest.to_string()));
            // One that is not here is asked for when it is to run.
            if missing && let Some(image) = self.local(name)? {
                self.hold(&image)?;
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
    pub(crate) fn occupy(&self, image: &Image, id: &ContainerId) -> Result<(), Fault> {
        self.images.pin(image, &format!("{}{id}", of_environments()))
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
