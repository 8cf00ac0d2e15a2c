//! PublishLayerVersion.

use roadstead_api_lambda::{
    LayerVersionContentInput, LayerVersionContentOutput, PublishLayerVersionRequest,
    PublishLayerVersionResponse,
};
use roadstead_base::Ctx;
use roadstead_protocol::Blob;
use roadstead_store::{Outcome, Transaction};

use super::named::Layer;
use crate::Lambda;
use crate::content::MAX_ARCHIVE;
use crate::error::{Error, Result, refuse};
use crate::records::{self, LayerRecord, LayerVersionRecord};

const TRIES: usize = 16;

pub(crate) async fn publish_layer_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PublishLayerVersionRequest,
) -> Result<PublishLayerVersionResponse> {
    let PublishLayerVersionRequest {
        content,
        layer_name,
        compatible_architectures,
        compatible_runtimes,
        description,
        license_info,
    } = input;
    let layer = Layer::own(ctx, &layer_name, "PublishLayerVersion", None)?;
    let archive = archive(content)?;
    lambda.check_storage(ctx, archive.len() as u64, 0)?;
    let (archive, _upload) = lambda.contents.put(archive).await?;
    let runtimes = compatible_runtimes.unwrap_or_default();
    let architectures = compatible_architectures.unwrap_or_default();
    let draft = LayerVersionRecord {
        layer: layer.name.clone(),
        number: 0,
        description: description.unwrap_or_default(),
        license: license_info,
        runtimes: runtimes.iter().map(|one| one.as_str().to_owned()).collect(),
        architectures: architectures.iter().map(|one| one.as_str().to_owned()).collect(),
        archive,
        created_at: lambda.clock.now(),
        policy: Default::default(),
    };
    let record = number(lambda, &layer, draft).await?;
    Ok(PublishLayerVersionResponse {
        compatible_architectures: super::architectures(&record),
        compatible_runtimes: super::runtimes(&record),
        content: Some(content_of(lambda, ctx, &record)),
        created_date: Some(crate::show::time(record.created_at)),
        layer_arn: Some(layer.arn()),
        layer_version_arn: Some(layer.version_arn(record.number)),
        version: i64::try_from(record.number).ok(),
        description: Some(record.description),
        license_info: record.license,
    })
}

/// Keeps it under the next number, which no version of the layer ever had.
async fn number(lambda: &Lambda, layer: &Layer, draft: LayerVersionRecord) -> Result<LayerVersionRecord> {
    let (layers, versions) = (
        records::layers(&lambda.store),
        records::layer_versions(&lambda.store),
    );
    let key = layers.key(&layer.partition, &layer.name);
    for _ in 0..TRIES {
        let entry = layers.get(&key).await?;
        let number = entry.as_ref().map_or(0, |entry| entry.value.published) + 1;
        let counter = LayerRecord { published: number };
        let transaction = Transaction::new(&lambda.store);
        let transaction = match &entry {
            Some(entry) => transaction.replace(&layers, entry, &counter),
            None => transaction.insert(&layers, &key, &counter),
        };
        let record = LayerVersionRecord {
            number,
            ..draft.clone()
        };
        let version = records::layer_version_key(&lambda.store, &layer.partition, &layer.name, number);
        let written = transaction.put(&versions, &version, &record).commit().await?;
        if let Outcome::Committed(revision) = written {
            lambda.layer_versions.wait_for(revision).await?;
            return Ok(record);
        }
    }
    Err(Error::Contended)
}

/// The archive of a request; other sources are refused.
fn archive(content: LayerVersionContentInput) -> Result<Vec<u8>> {
    let LayerVersionContentInput {
        s3_bucket,
        s3_key,
        s3_object_version,
        zip_file,
    } = content;
    refuse("Content.S3Bucket", s3_bucket.as_ref())?;
    refuse("Content.S3Key", s3_key.as_ref())?;
    refuse("Content.S3ObjectVersion", s3_object_version.as_ref())?;
    match zip_file {
        None => Err(Error::invalid("Please provide a source for layer content.")),
        Some(Blob(bytes)) if bytes.len() > MAX_ARCHIVE => Err(Error::ArchiveTooLarge {
            most: MAX_ARCHIVE,
            operation: "PublishLayerVersion",
        }),
        Some(Blob(bytes)) => Ok(bytes),
    }
}

pub(super) fn content_of(
    lambda: &Lambda,
    ctx: &Ctx,
    record: &LayerVersionRecord,
) -> LayerVersionContentOutput {
    LayerVersionContentOutput {
        code_sha256: Some(record.archive.shown_sha256()),
        code_size: i64::try_from(record.archive.size).ok(),
        location: lambda.link(ctx, &record.archive),
        ..LayerVersionContentOutput::default()
    }
}
