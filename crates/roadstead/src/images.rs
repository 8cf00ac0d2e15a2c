//! What an operator says about images, the same words for `up`, `agent` and `image`. The vendor's agent has most of
//! these as variables of its environment, whose meaning and defaults they keep.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use roadstead_agent::node::Options;
use roadstead_image::{Mirror, PullBehaviour, Reference};
use serde::Deserialize;

use crate::place;

/// Who this node is at registries, and how much it keeps.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct RegistryArgs {
    /// Docker client's config.json whose auths has users and passwords of registries; no credential helper is run
    #[arg(long, env = "ROADSTEAD_REGISTRY_CREDENTIALS", value_name = "FILE")]
    pub registry_credentials: Option<PathBuf>,
    /// PEM file of certificate authorities that registries are trusted by besides the machine's own
    #[arg(long, env = "ROADSTEAD_REGISTRY_CA", value_name = "FILE")]
    pub registry_ca: Option<PathBuf>,
    /// Most that all layers may take, unpacked, as 20GB or 512MiB; what does not fit is refused [default: no bound]
    #[arg(long, env = "ROADSTEAD_IMAGE_STORE_LIMIT", value_name = "SIZE")]
    pub image_store_limit: Option<String>,
}

/// All of them.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(from = "FileArgs")]
pub(crate) struct ImageArgs {
    #[command(flatten)]
    #[serde(skip)]
    // a file's are read beside these: a flattened part of a flattened part is not told apart from what is unknown
    pub registries: RegistryArgs,
    /// When the registry is asked: default, always, once or prefer-cached, as ECS_IMAGE_PULL_BEHAVIOR; images that
    /// were imported are never asked for by default [default: default]
    #[arg(long, env = "ROADSTEAD_IMAGE_PULL_BEHAVIOR", value_name = "WHEN")]
    pub image_pull_behavior: Option<String>,
    /// Keep images that no task uses, as ECS_DISABLE_IMAGE_CLEANUP
    #[arg(long, env = "ROADSTEAD_NO_IMAGE_CLEANUP", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub no_image_cleanup: Option<bool>,
    /// Between two cycles of cleaning, at least 10m, as ECS_IMAGE_CLEANUP_INTERVAL [default: 30m]
    #[arg(long, env = "ROADSTEAD_IMAGE_CLEANUP_INTERVAL", value_name = "DURATION")]
    pub image_cleanup_interval: Option<String>,
    /// Since its pull before an image may go, at least 1m, as ECS_IMAGE_MINIMUM_CLEANUP_AGE [default: 1h]
    #[arg(long, env = "ROADSTEAD_IMAGE_MINIMUM_CLEANUP_AGE", value_name = "DURATION")]
    pub image_minimum_cleanup_age: Option<String>,
    /// Images that one cycle removes at most, as ECS_NUM_IMAGES_DELETE_PER_CYCLE [default: 5]
    #[arg(long, env = "ROADSTEAD_IMAGES_DELETED_PER_CYCLE", value_name = "COUNT")]
    pub images_deleted_per_cycle: Option<usize>,
    /// Clean up images too that no task had pulled, as ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP
    #[arg(long, env = "ROADSTEAD_UNTRACKED_IMAGE_CLEANUP", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub untracked_image_cleanup: Option<bool>,
    /// Since it was stored before such an image may go, at least 1m, as NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE
    /// [default: 1h]
    #[arg(
        long,
        env = "ROADSTEAD_UNTRACKED_IMAGE_MINIMUM_CLEANUP_AGE",
        value_name = "DURATION"
    )]
    pub untracked_image_minimum_cleanup_age: Option<String>,
    /// Such an image that stays, as ECS_EXCLUDE_UNTRACKED_IMAGE; repeatable
    #[arg(
        long,
        env = "ROADSTEAD_EXCLUDE_UNTRACKED_IMAGE",
        value_delimiter = ',',
        value_name = "REFERENCE"
    )]
    pub exclude_untracked_image: Option<Vec<String>>,
    /// How long a stopped task is remembered on this node, with its logs, at least 1m, as
    /// ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION [default: 3h]
    #[arg(long, env = "ROADSTEAD_TASK_CLEANUP_WAIT", value_name = "DURATION")]
    pub task_cleanup_wait: Option<String>,
}

/// The same as a file has them, side by side: parts of a flattened part are not told apart from what is unknown.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct FileArgs {
    registry_credentials: Option<PathBuf>,
    registry_ca: Option<PathBuf>,
    image_store_limit: Option<String>,
    image_pull_behavior: Option<String>,
    no_image_cleanup: Option<bool>,
    image_cleanup_interval: Option<String>,
    image_minimum_cleanup_age: Option<String>,
    images_deleted_per_cycle: Option<usize>,
    untracked_image_cleanup: Option<bool>,
    untracked_image_minimum_cleanup_age: Option<String>,
    exclude_untracked_image: Option<Vec<String>>,
    task_cleanup_wait: Option<String>,
}

impl From<FileArgs> for ImageArgs {
    fn from(file: FileArgs) -> Self {
        let FileArgs {
            registry_credentials,
            registry_ca,
            image_store_limit,
            image_pull_behavior,
            no_image_cleanup,
            image_cleanup_interval,
            image_minimum_cleanup_age,
            images_deleted_per_cycle,
            untracked_image_cleanup,
            untracked_image_minimum_cleanup_age,
            exclude_untracked_image,
            task_cleanup_wait,
        } = file;
        Self {
            registries: RegistryArgs {
                registry_credentials,
                registry_ca,
                image_store_limit,
            },
            image_pull_behavior,
            no_image_cleanup,
            image_cleanup_interval,
            image_minimum_cleanup_age,
            images_deleted_per_cycle,
            untracked_image_cleanup,
            untracked_image_minimum_cleanup_age,
            exclude_untracked_image,
            task_cleanup_wait,
        }
    }
}

/// What the options amount to.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    options: roadstead_image::Options,
    behaviour: PullBehaviour,
    retention: Duration,
}

/// The vendor's agent keeps a stopped task for so long.
const RETENTION: Duration = Duration::from_secs(3 * 60 * 60);

impl RegistryArgs {
    fn or(self, other: Self) -> Self {
        Self {
            registry_credentials: self.registry_credentials.or(other.registry_credentials),
            registry_ca: self.registry_ca.or(other.registry_ca),
            image_store_limit: self.image_store_limit.or(other.image_store_limit),
        }
    }

    pub(crate) fn apply(self, options: &mut roadstead_image::Options) -> Result<()> {
        options.logins = self.registry_credentials;
        options.certificates = self.registry_ca;
        options.limits.store_bytes = self.image_store_limit.as_deref().map(size).transpose()?;
        Ok(())
    }
}

impl ImageArgs {
    /// These, and where they say nothing, the others.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            registries: self.registries.or(other.registries),
            image_pull_behavior: self.image_pull_behavior.or(other.image_pull_behavior),
            no_image_cleanup: self.no_image_cleanup.or(other.no_image_cleanup),
            image_cleanup_interval: self.image_cleanup_interval.or(other.image_cleanup_interval),
            image_minimum_cleanup_age: self.image_minimum_cleanup_age.or(other.image_minimum_cleanup_age),
            images_deleted_per_cycle: self.images_deleted_per_cycle.or(other.images_deleted_per_cycle),
            untracked_image_cleanup: self.untracked_image_cleanup.or(other.untracked_image_cleanup),
            untracked_image_minimum_cleanup_age: self
                .untracked_image_minimum_cleanup_age
                .or(other.untracked_image_minimum_cleanup_age),
            exclude_untracked_image: self.exclude_untracked_image.or(other.exclude_untracked_image),
            task_cleanup_wait: self.task_cleanup_wait.or(other.task_cleanup_wait),
        }
    }

    /// Refuses by name what cannot be.
    pub(crate) fn settle(self) -> Result<Settled> {
        let mut options = roadstead_image::Options::new("");
        self.registries.apply(&mut options)?;
        let behaviour = match self.image_pull_behavior {
            None => PullBehaviour::default(),
            Some(name) => match PullBehaviour::parse(&name) {
                Some(behaviour) => behaviour,
                None => bail!("--image-pull-behavior {name} must be default, always, once or prefer-cached"),
            },
        };
        let mut retention = RETENTION;
        let cleanup = &mut options.cleanup;
        cleanup.enabled = !self.no_image_cleanup.unwrap_or_default();
        cleanup.untracked = self.untracked_image_cleanup.unwrap_or_default();
        for (name, text, least, setting) in [
            ("--task-cleanup-wait", self.task_cleanup_wait, 1, &mut retention),
            (
                "--image-cleanup-interval",
                self.image_cleanup_interval,
                10,
                &mut cleanup.interval,
            ),
            (
                "--image-minimum-cleanup-age",
                self.image_minimum_cleanup_age,
                1,
                &mut cleanup.minimum_age,
            ),
            (
                "--untracked-image-minimum-cleanup-age",
                self.untracked_image_minimum_cleanup_age,
                1,
                &mut cleanup.untracked_minimum_age,
            ),
        ] {
            if let Some(text) = text {
                match duration(&text) {
                    Some(value) if value >= Duration::from_secs(least * 60) => *setting = value,
                    _ => bail!("{name} {text} must be a duration such as 90m or 1h30m, at least {least}m"),
                }
            }
        }
        if let Some(count) = self.images_deleted_per_cycle {
            if count == 0 {
                bail!("--images-deleted-per-cycle must be at least 1");
            }
            cleanup.per_cycle = count;
        }
        let excluded = self.exclude_untracked_image.unwrap_or_default();
        let excluded = excluded.iter().map(|name| Reference::parse(name));
        cleanup.untracked_exclude = excluded.collect::<Result<_, _>>()?;
        // The images of tasks are this node's to clean; those of people at the command line are theirs.
        options.tracks = true;
        Ok(Settled {
            options,
            behaviour,
            retention,
        })
    }
}

impl Settled {
    /// Tells a node, which knows where its images are.
    pub(crate) fn apply(&self, node: &mut Options) {
        node.pull_behaviour = self.behaviour;
        node.limits.retention = self.retention;
        node.images = roadstead_image::Options {
            root: node.images.root.clone(),
            mirrors: node.images.mirrors.clone(),
            ..self.options.clone()
        };
    }
}

impl Settled {
    /// What functions on the same node need to have images from its store.
    pub(crate) fn store(&self, data: &Path, mirrors: &[Mirror]) -> (roadstead_image::Options, PullBehaviour) {
        let options = roadstead_image::Options {
            root: place::images(data),
            mirrors: mirrors.to_vec(),
            ..self.options.clone()
        };
        (options, self.behaviour)
    }
}

/// `1h30m`, `90s`, `250ms`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&at| at > 0)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let number: u32 = number.parse().ok()?;
        let one = match unit {
            "h" => Duration::from_secs(3600),
            "m" => Duration::from_secs(60),
            "s" => Duration::from_secs(1),
            "ms" => Duration::from_millis(1),
            _ => return None,
        };
        sum = sum.checked_add(one.checked_mul(number)?)?;
        rest = after;
    }
    Some(sum).filter(|sum| !sum.is_zero())
}

/// `20GB` of powers of ten, `512MiB` of powers of two, `1000000`.
fn size(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let one: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => 0,
    };
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(one));
    match bytes {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => bail!("--image-store-limit {text} must be a size such as 20GB or 512MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_the_documented_defaults_hold() {
        let Settled {
            options,
            behaviour,
            retention,
        } = ImageArgs::default().settle().expect("settles");
        assert_eq!(retention.as_secs(), 10_800);
        let cleanup = options.cleanup;
        assert_eq!(behaviour, PullBehaviour::Default);
        assert!(cleanup.enabled && !cleanup.untracked && options.tracks);
        assert_eq!(
            (cleanup.interval.as_secs(), cleanup.minimum_age.as_secs()),
            (1800, 3600)
        );
        assert_eq!(
            (cleanup.untracked_minimum_age.as_secs(), cleanup.per_cycle),
            (3600, 5)
        );
        assert_eq!(options.limits.store_bytes, None);
    }

    #[test]
    fn what_is_said_is_done() {
        let args: ImageArgs = toml::from_str(
            "image-pull-behavior = \"once\"\nno-image-cleanup = true\nimage-cleanup-interval = \"1h30m\"\n\
             image-minimum-cleanup-age = \"90s\"\nimages-deleted-per-cycle = 2\nuntracked-image-cleanup = true\n\
             untracked-image-minimum-cleanup-age = \"2h\"\nexclude-untracked-image = [\"nginx\"]\n\
             task-cleanup-wait = \"2m\"\nimage-store-limit = \"20GB\"\nregistry-credentials = \"/a\"\nregistry-ca = \"/b\"\n",
        )
        .expect("parses");
        let settled = ImageArgs::default().or(args).settle().expect("settles");
        let Settled {
            options: images,
            behaviour,
            retention,
        } = settled;
        assert_eq!(retention.as_secs(), 120);
        assert_eq!(behaviour, PullBehaviour::Once);
        let cleanup = images.cleanup;
        assert!(!cleanup.enabled && cleanup.untracked);
        assert_eq!(
            (cleanup.interval.as_secs(), cleanup.minimum_age.as_secs()),
            (5400, 90)
        );
        assert_eq!(
            (cleanup.untracked_minimum_age.as_secs(), cleanup.per_cycle),
            (7200, 2)
        );
        assert_eq!(
            cleanup.untracked_exclude[0].to_string(),
            "docker.io/library/nginx:latest"
        );
        assert_eq!(images.limits.store_bytes, Some(20_000_000_000));
        assert_eq!(images.logins, Some(PathBuf::from("/a")));
        assert_eq!(images.certificates, Some(PathBuf::from("/b")));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_name() {
        for (text, named) in [
            ("image-pull-behavior = \"never\"", "--image-pull-behavior"),
            ("image-cleanup-interval = \"9m\"", "at least 10m"),
            ("image-cleanup-interval = \"\"", "--image-cleanup-interval"),
            (
                "image-minimum-cleanup-age = \"59s\"",
                "--image-minimum-cleanup-age",
            ),
            (
                "image-minimum-cleanup-age = \"1x\"",
                "--image-minimum-cleanup-age",
            ),
            ("untracked-image-minimum-cleanup-age = \"h\"", "--untracked-image"),
            ("task-cleanup-wait = \"30s\"", "--task-cleanup-wait"),
            ("images-deleted-per-cycle = 0", "--images-deleted-per-cycle"),
            ("exclude-untracked-image = [\"Nginx\"]", "Nginx"),
            ("image-store-limit = \"0GB\"", "--image-store-limit"),
            ("image-store-limit = \"20 parsecs\"", "--image-store-limit"),
            ("image-store-limit = \"99999999999TB\"", "--image-store-limit"),
        ] {
            let args: ImageArgs = toml::from_str(text).expect(text);
            let error = args.settle().expect_err(text);
            assert!(format!("{error:#}").contains(named), "{text}: {error:#}");
        }
    }
}
