//! DeleteFunction: with everything of it, or one version.

use roadstead_api_lambda::{DeleteFunctionRequest, DeleteFunctionResponse};
use roadstead_base::Ctx;
use roadstead_store::api::{MAX_DELETED, MAX_OPS};
use roadstead_store::{Outcome, Transaction};

use crate::Lambda;
use crate::error::{Error, Result};
use crate::names::Named;
use crate::records::{self, AliasRecord, LATEST};

const TRIES: usize = 16;
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

/// Versions beyond what one transaction deletes go first, the function last: whoever is interrupted deletes it again.
async fn whole(lambda: &Lambda, ctx: &Ctx, named: &Named) -> Result<DeleteFunctionResponse> {
    let partition = ctx.partition();
    let key = lambda.function_key(&partition, &named.name);
    let function = lambda.function(&partition, named)?;
    let published = lambda.all_published(&partition, &named.name);
    let versions = records::versions(&lambda.store);
    let over = published.len().saturating_sub(MAX_DELETED - 1);
    for page in published[..over].chunks(MAX_OPS) {
        let mut transaction = Transaction::new(&lambda.store).compare_exists(&key);
        for number in page.iter().filter_map(|version| version.number) {
            let key = records::version_key(&versions, &partition, &named.name, number);
            transaction = transaction.delete(&key);
        }
        if transaction.commit().await? == Outcome::Conflict {
            return Err(named.missing(&partition));
        }
    }
    let transaction = Transaction::new(&lambda.store)
        .compare_exists(&key)
        .delete(&key)
        .delete_below(&versions.key(&partition, &named.name));
    let Outcome::Committed(revision) = transaction.commit().await? else {
        return Err(named.missing(&partition));
    };
    lambda.functions.wait_for(revision).await?;
    lambda.versions.wait_for(revision).await?;
    let published = published.into_iter().map(|version| version.revision);
    for revision in published.chain([function.latest.revision]) {
        lambda.sandboxes.retire(&revision).await;
    }
    Ok(DELETED)
}

/// With all that is kept of it alone, and unless an alias names it by then.
async fn one(lambda: &Lambda, ctx: &Ctx, named: &Named) -> Result<DeleteFunctionResponse> {
    let partition = ctx.partition();
    let (functions, versions) = (
        records::functions(&lambda.store),
        records::versions(&lambda.store),
    );
    let function_key = lambda.function_key(&partition, &named.name);
    let qualifier = named.qualifier.as_deref().unwrap_or_default();
    for _ in 0..TRIES {
        let entry = functions.get(&function_key).await?;
        let entry = entry.ok_or_else(|| named.missing(&partition))?;
        let aliases = &entry.value.aliases;
        if aliases.contains_key(qualifier) {
            return Err(Error::invalid("Deletion of aliases is not currently supported."));
        }
        let number: u64 = qualifier.parse().map_err(|_| named.missing(&partition))?;
        let names_it = |alias: &AliasRecord| alias.numbers().any(|named| named == number);
        let naming = aliases.iter().filter(|(_, alias)| names_it(alias));
        let naming: Vec<&str> = naming.map(|(name, _)| name.as_str()).collect();
        if !naming.is_empty() {
            return Err(Error::Conflict(format!(
                "Unable to delete version because the following aliases reference it: [{}]",
                naming.join(", ")
            )));
        }
        let key = records::version_key(&versions, &partition, &named.name, number);
        let version = versions.get(&key).await?;
        let version = version.ok_or_else(|| named.missing(&partition))?;
        let mut function = entry.value.clone();
        function.policies.remove(&number.to_string());
        function.asynchronous.remove(&number.to_string());
        let transaction = Transaction::new(&lambda.store)
            .replace(&functions, &entry, &function)
            .compare_exists(&key)
            .delete(&key);
        if let Outcome::Committed(revision) = transaction.commit().await? {
            lambda.functions.wait_for(revision).await?;
            lambda.versions.wait_for(revision).await?;
            lambda.sandboxes.retire(&version.value.revision).await;
            return Ok(DELETED);
        }
    }
    Err(Error::Contended)
}
