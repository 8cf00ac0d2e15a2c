//! CreateFunction.

use roadstead_api_lambda::{CreateFunctionRequest, EphemeralStorage, FunctionConfiguration, PackageType};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use super::package::{self, Doing};
use crate::Lambda;
use crate::accept;
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
    refuse("PublishTo", publish_to.as_ref())?;
    refuse("TenancyConfig", tenancy_config.as_ref())?;
    let kind = package_type.unwrap_or(PackageType::Zip);
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
    let runtime = runtime.map(|runtime| runtime.as_str().to_owned());
    let handler = handler.filter(|handler| !handler.is_empty());
    let layers = layers.unwrap_or_default();
    match kind {
        PackageType::Zip => {
            let missing = match (&runtime, &handler) {
                (None, _) => Some("Runtime"),
                (_, None) => Some("Handler"),
                _ => None,
            };
            if let Some(member) = missing {
                return Err(Error::invalid(format!(
                    "{member} is mandatory for functions created with deployment packages."
                )));
            }
        }
        PackageType::Image => {
            package::nothing_of_archives(runtime.is_some(), handler.is_some(), !layers.is_empty())?;
        }
    }
    let shifted = match &runtime {
        Some(runtime) => lambda.check_runtime(runtime)?,
        None => None,
    };
    let arm64 = accept::architecture(architectures)?;
    let settings = Settings {
        runtime,
        handler,
        image: package::image_settings(kind, image_config.unwrap_or_default())?,
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
        layers: lambda.layers_for(ctx, layers, &[])?,
    };
    let tags = accept::tags(tags.unwrap_or_default(), Default::default())?;
    let partition = ctx.partition();
    let exists = || Error::Conflict(format!("Function already exist: {name}"));
    if lambda.function(&partition, &named).is_ok() {
        return Err(exists());
    }
    lambda.check_role(ctx, &role, &named.arn(&partition))?;
    let publish = publish.unwrap_or_default();
    let source = package::source(Doing::Creating, kind, code)?;
    let copies = if publish { 2 } else { 1 };
    let taken = lambda.take(ctx, source, copies, 0, false).await?;
    crate::layers::check_size(&taken.code, &settings.layers)?;
    package::check_command(&taken.code, &settings.image)?;
    let latest = VersionRecord {
        number: None,
        latest_description: None,
        description: description.unwrap_or_default(),
        role,
        code: taken.code.clone(),
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
                latest_description: Some(latest.description.clone()),
                revision: roadstead_base::random_uuid(),
                ..latest
            };
            let key = records::version_key(&versions, &partition, &name, 1);
            transaction = transaction.put(&versions, &key, &first);
            first
        }
    };
    let Outcome::Committed(revision) = transaction.commit().await? else {
        // Whoever is told so finds it there.
        if let Some(found) = functions.get(&lambda.function_key(&partition, &name)).await? {
            lambda.functions.wait_for(found.revision).await?;
        }
        return Err(exists());
    };
    drop(taken);
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
