//! Versions: what `$LATEST` was, kept under a number.

use roadstead_api_lambda::{
    FunctionConfiguration, ListVersionsByFunctionRequest, ListVersionsByFunctionResponse,
    PublishVersionRequest,
};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Lambda;
use crate::error::{Error, Result, refuse};
use crate::names::Named;
use crate::records::{self, FunctionRecord, LATEST, VersionRecord};
use crate::{page, show};

const PAGE: usize = 50;
const TRIES: usize = 16;

pub(crate) async fn publish_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PublishVersionRequest,
) -> Result<FunctionConfiguration> {
    let PublishVersionRequest {
        function_name,
        code_sha256,
        description,
        publish_to,
        revision_id,
    } = input;
    refuse("PublishTo", publish_to.as_ref())?;
    let named = Named {
        name: Named::whole(ctx, &function_name)?,
        qualifier: None,
    };
    publish(lambda, ctx, &named, description, code_sha256, revision_id).await
}

/// Gives `$LATEST` the next number. If nothing changed since the last one, that one is answered again, as documented.
pub(crate) async fn publish(
    lambda: &Lambda,
    ctx: &Ctx,
    named: &Named,
    description: Option<String>,
    code_sha256: Option<String>,
    revision_id: Option<String>,
) -> Result<FunctionConfiguration> {
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
        let latest = &entry.value.latest;
        if revision_id
            .as_ref()
            .is_some_and(|wanted| *wanted != latest.revision)
        {
            return Err(Error::Precondition("GetFunction/GetAlias"));
        }
        if code_sha256
            .as_ref()
            .is_some_and(|wanted| *wanted != latest.code.shown_sha256())
        {
            return Err(Error::invalid(format!(
                "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the CodeSHA256 in $LATEST.",
                code_sha256.unwrap_or_default(),
                latest.code.shown_sha256()
            )));
        }
        // Of the store, as the function is: memory may not show yet what another published just now.
        let last = records::version_key(&versions, &partition, &named.name, entry.value.published);
        let last = versions.get(&last).await?;
        if let Some(last) = last.filter(|last| is_same(&last.value, latest)) {
            lambda.functions.wait_for(entry.revision).await?;
            lambda.versions.wait_for(last.revision).await?;
            let last = last.value;
            let number = last.version();
            return Ok(show::configuration(&partition, &named.name, &last, Some(&number)));
        }
        lambda.check_storage(ctx, latest.code.size(), 0)?;
        let number = entry.value.published + 1;
        let version = VersionRecord {
            number: Some(number),
            latest_description: Some(latest.description.clone()),
            description: description.clone().unwrap_or_else(|| latest.description.clone()),
            revision: roadstead_base::random_uuid(),
            ..latest.clone()
        };
        let function = FunctionRecord {
            published: number,
            ..entry.value.clone()
        };
        let version_key = records::version_key(&versions, &partition, &named.name, number);
        let transaction = Transaction::new(&lambda.store)
            .replace(&functions, &entry, &function)
            .put(&versions, &version_key, &version);
        if let Outcome::Committed(revision) = transaction.commit().await? {
            lambda.functions.wait_for(revision).await?;
            lambda.versions.wait_for(revision).await?;
            let number = version.version();
            return Ok(show::configuration(
                &partition,
                &named.name,
                &version,
                Some(&number),
            ));
        }
    }
    Err(Error::Contended)
}

/// The same image by another name is no change.
fn is_same(version: &VersionRecord, latest: &VersionRecord) -> bool {
    version.code.shown_sha256() == latest.code.shown_sha256()
        && version.settings == latest.settings
        && version.role == latest.role
        && version
            .latest_description
            .as_ref()
            .is_none_or(|description| *description == latest.description)
}

/// `$LATEST` first, then the numbers.
pub(crate) fn list_versions_by_function(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListVersionsByFunctionRequest,
) -> Result<ListVersionsByFunctionResponse> {
    let ListVersionsByFunctionRequest {
        function_name,
        marker,
        max_items,
    } = input;
    let partition = ctx.partition();
    let name = Named::whole(ctx, &function_name)?;
    let function = lambda.function(
        &partition,
        &Named {
            name: name.clone(),
            qualifier: None,
        },
    )?;
    let mut shown = vec![(
        String::new(),
        show::listed(&partition, &name, &function.latest, Some(LATEST)),
    )];
    for version in lambda.all_published(&partition, &name) {
        let number = version.version();
        let key = format!("{:020}", version.number.unwrap_or_default());
        shown.push((key, show::listed(&partition, &name, &version, Some(&number))));
    }
    let scope = format!("ListVersionsByFunction/{name}");
    let (versions, next_marker) = page::cut(ctx, &scope, shown, marker.as_deref(), max_items, PAGE)?;
    Ok(ListVersionsByFunctionResponse {
        next_marker,
        versions: Some(versions),
    })
}
