//! The node's images by hand. Works on the store itself, beside a running daemon or without one.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use roadstead_image::{Auth, Images, Mirror, Options, Progress};

use crate::bars::{size, watch};
use crate::config::{DEFAULT_DATA, mirror};
use crate::images::RegistryArgs;
use crate::place::images;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The daemon's data folder
    #[arg(long, env = "ROADSTEAD_DATA", default_value = DEFAULT_DATA, value_name = "FOLDER", global = true)]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read images from an OCI layout (folder or tar) or a docker-archive (docker save)
    Import {
        path: PathBuf,
        /// Name of the image, instead of what the archive says
        #[arg(long)]
        name: Option<String>,
    },
    /// Fetch an image from its registry
    Pull {
        reference: String,
        /// As of `roadstead up`
        #[arg(long, env = "ROADSTEAD_REGISTRY_MIRROR", value_delimiter = ',', value_parser = mirror, value_name = "REGISTRY=URL")]
        registry_mirror: Vec<Mirror>,
        #[command(flatten)]
        registries: RegistryArgs,
    },
    /// List the images of this node
    List,
    /// Remove images by name
    Rm { references: Vec<String> },
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let mut options = Options::new(images(&args.data));
    if let Command::Pull {
        reference: _,
        registry_mirror,
        registries,
    } = &args.command
    {
        options.mirrors.clone_from(registry_mirror);
        registries.clone().apply(&mut options)?;
    }
    let store = Images::open(options)
        .await
        .with_context(|| format!("opening the images of {}", args.data.display()))?;
    let mut out = std::io::stdout();
    match args.command {
        Command::Import { path, name } => {
            for image in store.import(&path, name.as_deref()).await? {
                writeln!(out, "{} {} {}", image.reference, image.digest, size(image.size))?;
            }
        }
        Command::Pull { reference, .. } => {
            let progress = Arc::new(Progress::default());
            let pull = store.pull_watched(&reference, Auth::Anonymous, progress.clone());
            let image = watch(progress, pull).await?;
            writeln!(out, "{} {} {}", image.reference, image.digest, size(image.size))?;
        }
        Command::List => {
            writeln!(
                out,
                "{:<50} {:<20} {:>10}  USED BY",
                "REFERENCE", "DIGEST", "SIZE"
            )?;
            for image in store.list()? {
                let digest: String = image.digest.to_string().chars().take(19).collect();
                let used = if image.used_by.is_empty() {
                    "-".to_owned()
                } else {
                    image.used_by.join(", ")
                };
                writeln!(
                    out,
                    "{:<50} {digest:<20} {:>10}  {used}",
                    image.reference.to_string(),
                    size(image.size)
                )?;
            }
        }
        Command::Rm { references } => {
            for reference in references {
                let removed = store.remove(&reference).await?;
                writeln!(
                    out,
                    "{} ({} freed)",
                    removed.references.join(" "),
                    size(removed.bytes)
                )?;
            }
        }
    }
    Ok(())
}
