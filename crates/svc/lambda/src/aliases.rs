//! Aliases: names for versions, which can share what comes between two of them.

use roadstead_api_lambda::{
    AliasConfiguration, AliasRoutingConfiguration, CreateAliasRequest, DeleteAliasRequest, GetAliasRequest,
    ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};
use roadstead_base::{Ctx, Partition};
use roadstead_store::{Outcome, Transaction};

use crate::Lambda;
use crate::error::{Error, Result};
use crate::names::{self, Named};
use crate::page;
use crate::records::{self, AliasRecord, FunctionRecord, LATEST, VersionRecord};

const PAGE: usize = 50;
const TRIES: usize = 16;
const MILLION: u32 = 1_000_000;

impl Lambda {
    /// The version that an invocation runs: of an alias with two, by chance.
    pub(crate) fn chosen(
        &self,
        partition: &Partition,
        function: &FunctionRecord,
        named: &Named,
    ) -> Result<VersionRecord> {
        let alias = named
            .qualifier
            .as_ref()
            .and_then(|name| function.aliases.get(name));
        let Some(AliasRecord {
            other: Some((other, share)),
            ..
        }) = alias
        else {
            return self.version(partition, function, named);
        };
        let drawn = {
            let mut dice = self
                .dice
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            dice.u32(0..MILLION)
        };
        if drawn >= *share {
            return self.version(partition, function, named);
        }
        let other = Named {
            name: named.name.clone(),
            qualifier: Some(other.clone()),
        };
        self.version(partition, function, &other)
    }

    /// Refuses a version that is not there.
    fn there(&self, ctx: &Ctx, function: &FunctionRecord, version: &str) -> Result<()> {
        let named = Named {
            name: function.name.clone(),
            qualifier: Some(version.to_owned()),
        };
        match function.aliases.contains_key(version) {
            true => Err(named.missing(&ctx.partition())),
            false => self.version(&ctx.partition(), function, &named).map(|_| ()),
        }
    }

    fn routing(
        &self,
        ctx: &Ctx,
        function: &FunctionRecord,
        version: &str,
        config: AliasRoutingConfiguration,
    ) -> Result<Option<(String, u32)>> {
        let AliasRoutingConfiguration {
            additional_version_weights,
        } = config;
        let weights: Vec<(String, f64)> = additional_version_weights
            .unwrap_or_default()
            .into_iter()
            .collect();
        let [(other, weight)] = weights.as_slice() else {
            return match weights.is_empty() {
                true => Ok(None),
                false => Err(Error::invalid(
                    "Number of items in AdditionalVersionWeights cannot be greater than 1",
                )),
            };
        };
        check_both(version, other)?;
        self.there(ctx, function, other)?;
        Ok(Some((
            other.clone(),
            (weight.clamp(0.0, 1.0) * f64::from(MILLION)).round() as u32,
        )))
    }
}

/// Refuses two versions that no alias can share between.
fn check_both(version: &str, other: &str) -> Result<()> {
    if version == LATEST || other == LATEST {
        return Err(Error::invalid(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    match other == version {
        true => Err(Error::invalid(format!(
            "Invalid function version {other}. Function version {other} is already included in routing configuration."
        ))),
        false => Ok(()),
    }
}

fn show(ctx: &Ctx, function: &str, name: &str, alias: &AliasRecord) -> AliasConfiguration {
    let weights = |(version, share): &(String, u32)| AliasRoutingConfiguration {
        additional_version_weights: Some([(version.clone(), f64::from(*share) / f64::from(MILLION))].into()),
    };
    AliasConfiguration {
        alias_arn: Some(names::arn(&ctx.partition(), function, Some(name))),
        description: Some(alias.description.clone()),
        function_version: Some(alias.version.clone()),
        name: Some(name.to_owned()),
        revision_id: Some(alias.revision.clone()),
        routing_config: alias.other.as_ref().map(weights),
    }
}

fn whole(ctx: &Ctx, name: &str) -> Result<Named> {
    Ok(Named {
        name: Named::whole(ctx, name)?,
        qualifier: None,
    })
}

pub(crate) fn missing(ctx: &Ctx, function: &str, alias: &str) -> Error {
    let arn = names::arn(&ctx.partition(), function, Some(alias));
    Error::NotFound(format!("Cannot find alias arn: {arn}"))
}

pub(crate) async fn create_alias(
    lambda: &Lambda,
    ctx: &Ctx,
    input: CreateAliasRequest,
) -> Result<AliasConfiguration> {
    let CreateAliasRequest {
        function_name,
        function_version,
        name,
        description,
        routing_config,
    } = input;
    let named = whole(ctx, &function_name)?;
    let routing = routing_config.unwrap_or_default();
    let alias = set(lambda, ctx, &named, &name, |function| {
        lambda.there(ctx, function, &function_version)?;
        let other = lambda.routing(ctx, function, &function_version, routing.clone())?;
        if function.aliases.contains_key(&name) {
            let arn = names::arn(&ctx.partition(), &function.name, Some(&name));
            return Err(Error::Conflict(format!("Alias already exists: {arn}")));
        }
        Ok(AliasRecord {
            other,
            version: function_version.clone(),
            description: description.clone().unwrap_or_default(),
            revision: roadstead_base::random_uuid(),
        })
    })
    .await?;
    Ok(show(ctx, &named.name, &name, &alias))
}

pub(crate) async fn update_alias(
    lambda: &Lambda,
    ctx: &Ctx,
    input: UpdateAliasRequest,
) -> Result<AliasConfiguration> {
    let UpdateAliasRequest {
        function_name,
        name,
        description,
        function_version,
        revision_id,
        routing_config,
    } = input;
    let named = whole(ctx, &function_name)?;
    let alias = set(lambda, ctx, &named, &name, |function| {
        let old = function.aliases.get(&name).ok_or_else(|| {
            let arn = names::arn(&ctx.partition(), &named.name, Some(&name));
            Error::NotFound(format!("Alias not found: {arn}"))
        })?;
        let mut alias = old.clone();
        if let Some(version) = &function_version {
            lambda.there(ctx, function, version)?;
            version.clone_into(&mut alias.version);
        }
        if let Some(config) = routing_config.clone() {
            alias.other = lambda.routing(ctx, function, &alias.version, config)?;
        }
        if let Some((other, _)) = &alias.other {
            check_both(&alias.version, other)?;
        }
        if revision_id.as_ref().is_some_and(|wanted| *wanted != old.revision) {
            return Err(Error::Precondition("GetFunction/GetAlias"));
        }
        if let Some(description) = &description {
            description.clone_into(&mut alias.description);
        }
        alias.revision = roadstead_base::random_uuid();
        Ok(alias)
    })
    .await?;
    Ok(show(ctx, &named.name, &name, &alias))
}

/// Writes what is decided on the function as it is, together with the proof that the versions are there.
async fn set(
    lambda: &Lambda,
    ctx: &Ctx,
    named: &Named,
    name: &str,
    decide: impl Fn(&FunctionRecord) -> Result<AliasRecord>,
) -> Result<AliasRecord> {
    let partition = ctx.partition();
    let key = lambda.function_key(&partition, &named.name);
    let (functions, versions) = (
        records::functions(&lambda.store),
        records::versions(&lambda.store),
    );
    for _ in 0..TRIES {
        let entry = functions
            .get(&key)
            .await?
            .ok_or_else(|| named.missing(&partition))?;
        let alias = decide(&entry.value)?;
        let mut function = entry.value.clone();
        function.aliases.insert(name.to_owned(), alias.clone());
        let mut transaction = Transaction::new(&lambda.store).replace(&functions, &entry, &function);
        for number in alias.numbers() {
            let key = records::version_key(&versions, &partition, &named.name, number);
            if versions.get(&key).await?.is_none() {
                let version = Named {
                    name: named.name.clone(),
                    qualifier: Some(number.to_string()),
                };
                return Err(version.missing(&partition));
            }
            transaction = transaction.compare_exists(&key);
        }
        if let Outcome::Committed(revision) = transaction.commit().await? {
            lambda.functions.wait_for(revision).await?;
            // Another may have published what it names just now.
            lambda.versions.wait_for(revision).await?;
            return Ok(alias);
        }
    }
    Err(Error::Contended)
}

pub(crate) fn get_alias(lambda: &Lambda, ctx: &Ctx, input: GetAliasRequest) -> Result<AliasConfiguration> {
    let GetAliasRequest { function_name, name } = input;
    let named = whole(ctx, &function_name)?;
    let function = lambda.function(&ctx.partition(), &named)?;
    let alias = function
        .aliases
        .get(&name)
        .ok_or_else(|| missing(ctx, &named.name, &name))?;
    Ok(show(ctx, &named.name, &name, alias))
}

/// Of one that is not there, nothing is left either.
pub(crate) async fn delete_alias(lambda: &Lambda, ctx: &Ctx, input: DeleteAliasRequest) -> Result<()> {
    let DeleteAliasRequest { function_name, name } = input;
    let named = whole(ctx, &function_name)?;
    lambda
        .change_function(ctx, &named, |function| {
            function.aliases.remove(&name);
            function.policies.remove(&name);
            function.asynchronous.remove(&name);
            Ok(())
        })
        .await?;
    Ok(())
}

pub(crate) fn list_aliases(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListAliasesRequest,
) -> Result<ListAliasesResponse> {
    let ListAliasesRequest {
        function_name,
        function_version,
        marker,
        max_items,
    } = input;
    let named = whole(ctx, &function_name)?;
    let function = lambda.function(&ctx.partition(), &named)?;
    let wanted = |alias: &AliasRecord| {
        function_version
            .as_ref()
            .is_none_or(|version| *version == alias.version)
    };
    let shown = function.aliases.iter().filter(|(_, alias)| wanted(alias));
    let shown = shown.map(|(name, alias)| (name.clone(), show(ctx, &named.name, name, alias)));
    let scope = format!(
        "ListAliases/{}/{}",
        named.name,
        function_version.as_deref().unwrap_or_default()
    );
    let (aliases, next_marker) = page::cut(ctx, &scope, shown.collect(), marker.as_deref(), max_items, PAGE)?;
    Ok(ListAliasesResponse {
        aliases: Some(aliases),
        next_marker,
    })
}
