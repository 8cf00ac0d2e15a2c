//! UpdateFunctionCode and UpdateFunctionConfiguration: what `$LATEST` is from now on.

use roadstead_api_lambda::{
    FunctionCode, FunctionConfiguration, PackageType, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};
use roadstead_base::Ctx;

use super::package::{self, Doing};
use crate::Lambda;
use crate::accept;
use crate::error::{Error, Result, refuse};
use crate::names::Named;
use crate::records::{FunctionRecord, VersionRecord};
use crate::{layers, show, versions};

/// Refuses what was decided on another revision than there is.
fn check_revision(function: &FunctionRecord, wanted: Option<&String>) -> Result<()> {
    match wanted {
        Some(wanted) if *wanted != function.latest.revision => {
            Err(Error::Precondition("GetFunction/GetAlias"))
        }
        _ => Ok(()),
    }
}

pub(crate) async fn update_function_code(
    lambda: &Lambda,
    ctx: &Ctx,
    input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration> {
    let UpdateFunctionCodeRequest {
        function_name,
        architectures,
        dry_run,
        image_uri,
        publish,
        publish_to,
        revision_id,
        s3_bucket,
        s3_key,
        s3_object_version,
        source_kms_key_arn,
        zip_file,
    } = input;
    refuse("PublishTo", publish_to.as_ref())?;
    let named = whole(ctx, &function_name)?;
    let partition = ctx.partition();
    let function = lambda.function(&partition, &named)?;
    check_revision(&function, revision_id.as_ref())?;
    let arm64 = architectures
        .map(|all| accept::architecture(Some(all)))
        .transpose()?;
    let code = FunctionCode {
        image_uri,
        s3_bucket,
        s3_key,
        s3_object_version,
        source_kms_key_arn,
        zip_file,
    };
    let source = package::source(Doing::Updating, kind(&function), code)?;
    let copies = if publish == Some(true) { 2 } else { 1 };
    let old = function.latest.code.size();
    let dry = dry_run == Some(true);
    let taken = lambda.take(ctx, source, copies, old, dry).await?;
    // To what there is by then: a pull takes a while.
    let apply = |latest: &mut VersionRecord| {
        if latest.code.is_image() != taken.code.is_image() {
            return Err(Error::Conflict(format!(
                "The function {} was made anew of another package while its code was fetched.",
                named.name
            )));
        }
        layers::check_size(&taken.code, &latest.settings.layers)?;
        package::check_command(&taken.code, &latest.settings.image)?;
        latest.code = taken.code.clone();
        latest.settings.arm64 = arm64.unwrap_or(latest.settings.arm64);
        Ok(())
    };
    if dry {
        let mut latest = function.latest;
        apply(&mut latest)?;
        return Ok(show::configuration(&partition, &named.name, &latest, None));
    }
    let changed = change(lambda, ctx, &named, revision_id, apply).await?;
    match publish {
        // What was made here, and not what somebody else made of it since.
        Some(true) => versions::publish(lambda, ctx, &named, None, None, Some(changed.latest.revision)).await,
        _ => Ok(show::configuration(
            &partition,
            &named.name,
            &changed.latest,
            None,
        )),
    }
}

pub(crate) async fn update_function_configuration(
    lambda: &Lambda,
    ctx: &Ctx,
    input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration> {
    let UpdateFunctionConfigurationRequest {
        function_name,
        capacity_provider_config,
        dead_letter_config,
        description,
        durable_config,
        environment,
        ephemeral_storage,
        file_system_configs,
        handler,
        image_config,
        kms_key_arn,
        layers: wanted_layers,
        logging_config,
        memory_size,
        revision_id,
        role,
        runtime,
        snap_start,
        timeout,
        tracing_config,
        vpc_config,
    } = input;
    refuse("CapacityProviderConfig", capacity_provider_config.as_ref())?;
    refuse("DurableConfig", durable_config.as_ref())?;
    accept::nothing_else(
        vpc_config,
        tracing_config,
        snap_start,
        file_system_configs,
        kms_key_arn,
    )?;
    let named = whole(ctx, &function_name)?;
    let partition = ctx.partition();
    let function = lambda.function(&partition, &named)?;
    check_revision(&function, revision_id.as_ref())?;
    let kind = kind(&function);
    if kind == PackageType::Image {
        let layers = wanted_layers.as_ref().is_some_and(|layers| !layers.is_empty());
        package::nothing_of_archives(runtime.is_some(), handler.is_some(), layers)?;
    }
    let mut fresh = function.latest;
    let settings = &mut fresh.settings;
    if let Some(config) = dead_letter_config {
        settings.dead_letters = accept::dead_letters(ctx, config)?;
    }
    if let Some(environment) = environment {
        settings.environment = accept::environment(environment)?;
    }
    if let Some(storage) = ephemeral_storage {
        settings.tmp_mb = accept::tmp(storage)?;
    }
    if let Some(handler) = handler {
        settings.handler = Some(handler);
    }
    if let Some(config) = image_config {
        settings.image = package::image_settings(kind, config)?;
    }
    if let Some(layers) = wanted_layers {
        settings.layers = lambda.layers_for(ctx, layers, &settings.layers)?;
    }
    if let Some(config) = logging_config {
        settings.log_group = accept::logging(config)?;
    }
    if let Some(megabytes) = memory_size {
        settings.memory_mb = accept::memory(megabytes)?;
    }
    if let Some(seconds) = timeout {
        settings.timeout_seconds = accept::timeout(seconds)?;
    }
    if let Some(runtime) = runtime {
        fresh.shifted = lambda.check_runtime(runtime.as_str())?;
        fresh.settings.runtime = Some(runtime.as_str().to_owned());
    }
    if let Some(role) = role {
        lambda.check_role(ctx, &role, &named.arn(&partition))?;
        fresh.role = role;
    }
    if let Some(description) = description {
        fresh.description = description;
    }
    layers::check_size(&fresh.code, &fresh.settings.layers)?;
    package::check_command(&fresh.code, &fresh.settings.image)?;
    // What was decided here was decided on this revision.
    let decided_on = Some(fresh.revision.clone());
    let apply = |latest: &mut VersionRecord| {
        *latest = fresh.clone();
        Ok(())
    };
    let changed = change(lambda, ctx, &named, decided_on, apply).await?;
    Ok(show::configuration(
        &partition,
        &named.name,
        &changed.latest,
        None,
    ))
}

/// What its code comes in, which never changes.
fn kind(function: &FunctionRecord) -> PackageType {
    match function.latest.code.is_image() {
        true => PackageType::Image,
        false => PackageType::Zip,
    }
}

fn whole(ctx: &Ctx, name: &str) -> Result<Named> {
    Ok(Named {
        name: Named::whole(ctx, name)?,
        qualifier: None,
    })
}

/// Another `$LATEST`, if nobody made another one meanwhile; environments of the old one end.
async fn change(
    lambda: &Lambda,
    ctx: &Ctx,
    named: &Named,
    decided_on: Option<String>,
    mut apply: impl FnMut(&mut VersionRecord) -> Result<()>,
) -> Result<FunctionRecord> {
    let now = lambda.clock.now();
    let mut old = String::new();
    let changed = lambda
        .change_function(ctx, named, |function| {
            check_revision(function, decided_on.as_ref())?;
            function.latest.revision.clone_into(&mut old);
            apply(&mut function.latest)?;
            function.latest.modified_at = now;
            function.latest.revision = roadstead_base::random_uuid();
            Ok(())
        })
        .await?;
    lambda.sandboxes.retire(&old).await;
    Ok(changed)
}
