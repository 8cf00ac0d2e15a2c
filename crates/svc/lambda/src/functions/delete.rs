//! DeleteFunction: with everything of it, or one version.

use roadstead_api_lambda::{DeleteFunctionRequest, DeleteFunctionResponse};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Lambda;
use crate::error::{Error, Result};
use crate::names::Named;
use crate::records::{self, AliasRecord, LATEST};

const DELETED: DeleteFunctionResponse = DeleteFunctionResponse {
    status_code: Some(204),
};

pub(crate) async fn delete_function(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse> {
    let DeleteFunctionRequest {
        function_name,
        qualifier,
    } = input;
    let named = Named::of(ctx, &function_name, qualifier.as_deref())?;
    match named.qualifier.as_deref() {
        None => whole(lambda, ctx, &named).await,
        Some(LATEST) => Err(Error::invalid(
            "$LATEST version cannot be deleted without deleting the function.",
        )),
        Some(_) => one(lambda, ctx, &named).await,
    }
}

async fn whole(lambda: &Lambda, ctx: &Ctx, named: &Named) -> Result<DeleteFunctionResponse> {
    let partition = ctx.partition();
    let key = lambda.function_key(&partition, &named.name);
    let function = lambda.function(&partition, named)?;
    let mut gone: Vec<String> = lambda
        .all_published(&partition, &named.name)
        .into_iter()
        .map(|version| version.revision)
        .collect();
    gone.push(function.latest.revision);
    let versions = records::versions(&lambda.store).key(&partition, &named.name);
    let transaction = Transaction::new(&lambda.store)
        .compare_exists(&key)
        .delete(&key)
        .delete_below(&versions);
    let Outcome::Committed(revision) = transaction.commit().await? else {
        return Err(named.missing(&partition));
    };
    lambda.functions.wait_for(revision).await?;
    lambda.versions.wait_for(revision).await?;
    for revision in gone {
        lambda.sandboxes.retire(&revision).await;
    }
    Ok(DELETED)
}

async fn one(lambda: &Lambda, ctx: &Ctx, named: &Named) -> Result<DeleteFunctionResponse> {
    let partition = ctx.partition();
    let function = lambda.function(&partition, named)?;
    let version = lambda.version(&partition, &function, named)?;
    let number = version.number.unwrap_or_default();
    let qualifier = named.qualifier.as_deref().unwrap_or_default();
    if function.aliases.contains_key(qualifier) {
        return Err(Error::invalid(format!(
            "{qualifier} is an alias; DeleteAlias deletes it."
        )));
    }
    let points = |alias: &AliasRecord| {
        alias.version == qualifier || alias.other.as_ref().is_some_and(|(other, _)| other == qualifier)
    };
    if let Some((alias, _)) = function.aliases.iter().find(|(_, alias)| points(alias)) {
        return Err(Error::Conflict(format!(
            "Version {qualifier} is referenced by alias ({alias}) and cannot be deleted."
        )));
    }
    let versions = records::versions(&lambda.store);
    let key = records::version_key(&versions, &partition, &named.name, number);
    if let Outcome::Committed(revision) = Transaction::new(&lambda.store).delete(&key).commit().await? {
        lambda.versions.wait_for(revision).await?;
    }
    lambda.sandboxes.retire(&version.revision).await;
    Ok(DELETED)
}
