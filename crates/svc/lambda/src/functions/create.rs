//! CreateFunction.

use roadstead_api_lambda::{
    CreateFunctionRequest, EphemeralStorage, FunctionCode, FunctionConfiguration, PackageType,
};
use roadstead_base::Ctx;
use roadstead_protocol::Blob;
use roadstead_store::{Outcome, Transaction};

use crate::Lambda;
use crate::accept;
use crate::content::MAX_ARCHIVE;
use crate::error::{Error, Result, refuse};
use crate::names::Named;
use crate::records::{self, FunctionRecord, Settings, VersionRecord};
use crate::show;

const DEFAULT_TIMEOUT: i32 = 3;
const DEFAULT_MEMORY: i32 = 128;
const DEFAULT_TMP: i32 = 512;

pub(crate) async fn create_function(
    lambda: &Lambda,
    ctx: &Ctx,
    input: CreateFunctionRequest,
) -> Result<FunctionConfiguration> {
    let CreateFunctionRequest {
        code,
        function_name,
        role,
        architectures,
        capacity_provider_config,
        code_signing_config_arn,
        dead_letter_config,
        description,
        durable_config,
        environment,
        ephemeral_storage,
        file_system_configs,
        handler,
        image_config,
        kms_key_arn,
        layers,
        logging_config,
        memory_size,
        package_type,
        publish,
        publish_to,
        runtime,
        snap_start,
        tags,
        tenancy_config,
        timeout,
        tracing_config,
        vpc_config,
    } = input;
    refuse("CapacityProviderConfig", capacity_provider_config.as_ref())?;
    refuse("CodeSigningConfigArn", code_signing_config_arn.as_ref())?;
    refuse("DurableConfig", durable_config.as_ref())?;
    refuse("ImageConfig", image_config.as_ref())?;
    refuse("PublishTo", publish_to.as_ref())?;
    refuse("TenancyConfig", tenancy_config.as_ref())?;
    if package_type == Some(PackageType::Image) {
        return Err(Error::Unsupported("PackageType Image".into()));
    }
    accept::nothing_else(
        vpc_config,
        tracing_config,
        snap_start,
        file_system_configs,
        kms_key_arn,
    )?;
    let name = Named::whole(ctx, &function_name)?;
    let named = Named {
        name: name.clone(),
        qualifier: None,
    };
    let required = |member: &str| {
        Error::invalid(format!(
            "{member} is mandatory for functions created with deployment packages."
        ))
    };
    let runtime = runtime.ok_or_else(|| required("Runtime"))?.as_str().to_owned();
    let handler = handler
        .filter(|handler| !handler.is_empty())
        .ok_or_else(|| required("Handler"))?;
    let shifted = lambda.check_runtime(&runtime)?;
    let arm64 = accept::architecture(architectures)?;
    let settings = Settings {
        runtime,
        handler,
        timeout_seconds: accept::timeout(timeout.unwrap_or(DEFAULT_TIMEOUT))?,
        memory_mb: accept::memory(memory_size.unwrap_or(DEFAULT_MEMORY))?,
        tmp_mb: accept::tmp(ephemeral_storage.unwrap_or(EphemeralStorage { size: DEFAULT_TMP }))?,
        environment: environment.map(accept::environment).transpose()?.flatten(),
        arm64,
        log_group: logging_config.map(accept::logging).transpose()?.flatten(),
        dead_letters: dead_letter_config
            .map(|config| accept::dead_letters(ctx, config))
            .transpose()?
            .flatten(),
        layers: lambda.layers_for(ctx, layers.unwrap_or_default(), &[])?,
    };
    let tags = accept::tags(tags.unwrap_or_default(), Default::default())?;
    let partition = ctx.partition();
    let exists = || Error::Conflict(format!("Function already exist: {name}"));
    if lambda.function(&partition, &named).is_ok() {
        return Err(exists());
    }
    lambda.check_role(ctx, &role, &named.arn(&partition))?;
    let publish = publish.unwrap_or_default();
    let archive = zip(code)?;
    let copies = if publish { 2 } else { 1 };
    lambda.check_storage(ctx, copies * archive.len() as u64, 0)?;
    let (code, _upload) = lambda.contents.put(archive).await?;
    crate::layers::check_size(&code, &settings.layers)?;
    let latest = VersionRecord {
        number: None,
        description: description.unwrap_or_default(),
        role,
        code,
        settings,
        modified_at: lambda.clock.now(),
        revision: roadstead_base::random_uuid(),
        shifted,
    };
    let record = FunctionRecord {
        name: name.clone(),
        latest: latest.clone(),
        published: u64::from(publish),
        tags,
        aliases: Default::default(),
        policies: Default::default(),
        reserved: None,
        asynchronous: Default::default(),
    };
    let functions = records::functions(&lambda.store);
    let mut transaction =
        Transaction::new(&lambda.store).insert(&functions, &lambda.function_key(&partition, &name), &record);
    let shown = match publish {
        false => latest,
        true => {
            let versions = records::versions(&lambda.store);
            let first = VersionRecord {
                number: Some(1),
                revision: roadstead_base::random_uuid(),
                ..latest
            };
            let key = records::version_key(&versions, &partition, &name, 1);
            transaction = transaction.put(&versions, &key, &first);
            first
        }
    };
    let Outcome::Committed(revision) = transaction.commit().await? else {
        return Err(exists());
    };
    lambda.functions.wait_for(revision).await?;
    lambda.versions.wait_for(revision).await?;
    let qualifier = shown.number.map(|number| number.to_string());
    Ok(show::configuration(
        &partition,
        &name,
        &shown,
        qualifier.as_deref(),
    ))
}

/// The archive of a request; other sources are refused.
pub(crate) fn zip(code: FunctionCode) -> Result<Vec<u8>> {
    let FunctionCode {
        image_uri,
        s3_bucket,
        s3_key,
        s3_object_version,
        source_kms_key_arn,
        zip_file,
    } = code;
    refuse("Code.ImageUri", image_uri.as_ref())?;
    refuse("Code.S3Bucket", s3_bucket.as_ref())?;
    refuse("Code.S3Key", s3_key.as_ref())?;
    refuse("Code.S3ObjectVersion", s3_object_version.as_ref())?;
    refuse("Code.SourceKMSKeyArn", source_kms_key_arn.as_ref())?;
    archive(zip_file)
}

fn archive(zip_file: Option<Blob>) -> Result<Vec<u8>> {
    let Some(Blob(bytes)) = zip_file else {
        return Err(Error::invalid("Please provide a source for function code."));
    };
    match bytes.len() > MAX_ARCHIVE {
        true => Err(Error::ArchiveTooLarge(MAX_ARCHIVE)),
        false => Ok(bytes),
    }
}
