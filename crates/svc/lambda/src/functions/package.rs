//! What a function's code comes in: an archive, or an image, which a function is for as long as it lives.

use roadstead_api_lambda::{FunctionCode, ImageConfig, PackageType};
use roadstead_base::Ctx;
use roadstead_functions::ImageError;
use roadstead_protocol::Blob;
use tokio::sync::RwLockReadGuard;

use crate::Lambda;
use crate::content::{MAX_ARCHIVE, Upload};
use crate::error::{Error, Result, refuse};
use crate::records::{Code, ImageRecord, ImageSettings};

/// What a request says about where the code is.
#[derive(Debug)]
pub(super) enum Source {
    Archive(Vec<u8>),
    Image(String),
}

/// What the request does, in its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Creating,
    Updating,
}

/// Code that no sweep takes until this is dropped.
#[must_use = "it is held until a record names the code"]
#[derive(Debug)]
pub(super) struct Taken<'a> {
    pub(super) code: Code,
    _upload: Option<Upload>,
    _images: Option<RwLockReadGuard<'a, ()>>,
}

/// The source of a request; one that does not go with the package is refused, as are those that are not known here.
pub(super) fn source(doing: Doing, kind: PackageType, code: FunctionCode) -> Result<Source> {
    let FunctionCode {
        image_uri,
        s3_bucket,
        s3_key,
        s3_object_version,
        source_kms_key_arn,
        zip_file,
    } = code;
    refuse("Code.S3Bucket", s3_bucket.as_ref())?;
    refuse("Code.S3Key", s3_key.as_ref())?;
    refuse("Code.S3ObjectVersion", s3_object_version.as_ref())?;
    refuse("Code.SourceKMSKeyArn", source_kms_key_arn.as_ref())?;
    let (verb, operation) = match doing {
        Doing::Creating => ("creating", "CreateFunction"),
        Doing::Updating => ("updating", "UpdateFunctionCode"),
    };
    let foreign = |member: &str| {
        let kind = kind.as_str();
        Error::invalid(format!(
            "Please don't provide {member} when {verb} a function with packageType {kind}."
        ))
    };
    match (kind, zip_file, image_uri) {
        (PackageType::Zip, _, Some(_)) => Err(foreign("ImageUri")),
        (PackageType::Image, _, None) => Err(Error::invalid(format!(
            "Please provide ImageUri when {verb} a function with packageType Image."
        ))),
        (PackageType::Image, Some(_), Some(_)) => Err(foreign("ZipFile")),
        (PackageType::Image, None, Some(uri)) => Ok(Source::Image(uri)),
        (PackageType::Zip, None, None) => Err(Error::invalid("Please provide a source for function code.")),
        (PackageType::Zip, Some(Blob(bytes)), None) => match bytes.len() > MAX_ARCHIVE {
            true => Err(Error::ArchiveTooLarge {
                most: MAX_ARCHIVE,
                operation,
            }),
            false => Ok(Source::Archive(bytes)),
        },
    }
}

/// Refuses what an image has itself.
pub(super) fn nothing_of_archives(runtime: bool, handler: bool, layers: bool) -> Result<()> {
    match runtime || handler || layers {
        true => Err(Error::invalid(
            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
        )),
        false => Ok(()),
    }
}

/// What is said over an image's own word, which only an image has.
pub(super) fn image_settings(kind: PackageType, config: ImageConfig) -> Result<ImageSettings> {
    let ImageConfig {
        command,
        entry_point,
        working_directory,
    } = config;
    let settings = ImageSettings {
        entry_point: entry_point.unwrap_or_default(),
        command: command.unwrap_or_default(),
        working_directory: working_directory.filter(|place| !place.is_empty()),
    };
    if kind == PackageType::Zip && !settings.is_empty() {
        return Err(Error::invalid(
            "Please don't provide ImageConfig when the intended function PackageType is Zip.",
        ));
    }
    match settings.working_directory.as_deref() {
        Some(place) if !place.starts_with('/') => Err(Error::invalid(format!(
            "ImageConfig.WorkingDirectory {place} is not an absolute path."
        ))),
        _ => Ok(settings),
    }
}

/// Refuses an image that nobody says what to run of.
pub(super) fn check_command(code: &Code, settings: &ImageSettings) -> Result<()> {
    match code {
        Code::Image(ImageRecord {
            uri,
            resolved: _,
            has_command: false,
        }) if settings.entry_point.is_empty() && settings.command.is_empty() => Err(Error::invalid(format!(
            "Source image {uri} has neither ENTRYPOINT nor CMD. Provide ImageConfig.EntryPoint or ImageConfig.Command."
        ))),
        _ => Ok(()),
    }
}

impl Lambda {
    /// Fetches and checks the code, in place of what has `old` bytes. A dry run keeps no archive.
    pub(super) async fn take(
        &self,
        ctx: &Ctx,
        source: Source,
        copies: u64,
        old: u64,
        dry: bool,
    ) -> Result<Taken<'_>> {
        match source {
            Source::Archive(bytes) => {
                self.check_storage(ctx, copies * bytes.len() as u64, old)?;
                let (archive, upload) = match dry {
                    true => (self.contents.look(bytes).await?, None),
                    false => {
                        let (archive, upload) = self.contents.put(bytes).await?;
                        (archive, Some(upload))
                    }
                };
                Ok(Taken {
                    code: Code::Archive(archive),
                    _upload: upload,
                    _images: None,
                })
            }
            Source::Image(uri) => {
                let images = self.images.taking().await;
                let resolved = self.sandboxes.image(&uri).await;
                let resolved = resolved.map_err(|error| refusal(&uri, &error))?;
                self.images.resolved(&resolved.name, self.clock.now());
                Ok(Taken {
                    code: Code::Image(ImageRecord {
                        uri,
                        resolved: resolved.name,
                        has_command: resolved.has_command,
                    }),
                    _upload: None,
                    _images: Some(images),
                })
            }
        }
    }
}

/// What is wrong with an image, in the words that are known, and why.
fn refusal(uri: &str, error: &ImageError) -> Error {
    match error {
        ImageError::Malformed(why) => Error::invalid(format!(
            "Source image {uri} is not valid. Provide a valid source image. ({why})"
        )),
        ImageError::Missing(why) => Error::invalid(format!(
            "Source image {uri} does not exist. Provide a valid source image. ({why})"
        )),
        ImageError::Denied(why) => Error::Denied(format!(
            "Lambda does not have permission to access the image {uri}. Check the registry's permissions. ({why})"
        )),
        ImageError::Unsupported(why) => Error::invalid(format!(
            "The image manifest, config or layer media type for the source image {uri} is not supported. ({why})"
        )),
        ImageError::Failed(why) => Error::invalid(format!("Source image {uri} cannot be pulled: {why}.")),
    }
}
