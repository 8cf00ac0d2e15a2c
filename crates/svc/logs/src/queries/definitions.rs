//! PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition: queries that are saved under a name.

use std::collections::BTreeSet;
use std::sync::Arc;

use roadstead_api_logs::{
    DeleteQueryDefinitionRequest, DeleteQueryDefinitionResponse, DescribeQueryDefinitionsRequest,
    DescribeQueryDefinitionsResponse, PutQueryDefinitionRequest, PutQueryDefinitionResponse, QueryDefinition,
    QueryLanguage, QueryParameter,
};
use roadstead_base::Ctx;
use roadstead_store::{Change, Store, Table};

use crate::Logs;
use crate::error::{Error, Result};
use crate::page;
use crate::queries::speaks;
use crate::records::{DefinitionRecord, ParameterRecord};

/// Of an account in a region.
const MAX_DEFINITIONS: usize = 1000;
const MAX_GROUPS: usize = 50;

fn table(store: &Arc<dyn Store>) -> Table<DefinitionRecord> {
    Table::new(Arc::clone(store), "logs-query-definition")
}

pub(crate) async fn put_query_definition(
    logs: &Logs,
    ctx: &Ctx,
    input: PutQueryDefinitionRequest,
) -> Result<PutQueryDefinitionResponse> {
    let PutQueryDefinitionRequest {
        name,
        query_string,
        client_token,
        log_group_names,
        parameters,
        query_definition_id,
        query_language,
    } = input;
    speaks(query_language)?;
    let groups = log_group_names.unwrap_or_default();
    if groups.len() > MAX_GROUPS {
        return Err(Error::invalid(format!(
            "A query is of at most {MAX_GROUPS} log groups."
        )));
    }
    let parameters = parameters.unwrap_or_default();
    let mut seen = BTreeSet::new();
    if let Some(twice) = parameters.iter().find(|parameter| !seen.insert(&parameter.name)) {
        return Err(Error::invalid(format!(
            "The parameter {} is there twice.",
            twice.name
        )));
    }
    let table = table(&logs.store);
    let partition = ctx.partition();
    let updates = query_definition_id.is_some();
    let id = match (query_definition_id, client_token) {
        (Some(id), _) => id,
        // The same token makes the same definition, however often it comes.
        (None, Some(token)) => derived_id(ctx, &token),
        (None, None) => roadstead_base::random_uuid(),
    };
    let record = DefinitionRecord {
        id: id.clone(),
        name,
        text: query_string,
        groups,
        parameters: parameters.into_iter().map(keep).collect(),
        modified_at: logs.clock.now(),
    };
    let key = table.key(&partition, &id);
    let new = !updates && table.get(&key).await?.is_none();
    if new && table.all(&table.within(&partition)).await?.0.len() >= MAX_DEFINITIONS {
        return Err(Error::Limit(format!(
            "There are {MAX_DEFINITIONS} query definitions already."
        )));
    }
    let put = |found: Option<&DefinitionRecord>| match found {
        None if updates => Err(Error::NoSuchDefinition),
        _ => Ok(Change::Put(record.clone())),
    };
    table.update(&key, put).await?;
    Ok(PutQueryDefinitionResponse {
        query_definition_id: Some(id),
    })
}

fn derived_id(ctx: &Ctx, token: &str) -> String {
    let owner = format!("{}/{}", ctx.account, ctx.region);
    let hex = roadstead_base::derived_hex(&owner, &format!("logs-query-definition/{token}"), 32);
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

fn keep(parameter: QueryParameter) -> ParameterRecord {
    let QueryParameter {
        name,
        default_value,
        description,
    } = parameter;
    ParameterRecord {
        name,
        default: default_value,
        description,
    }
}

pub(crate) async fn describe_query_definitions(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeQueryDefinitionsRequest,
) -> Result<DescribeQueryDefinitionsResponse> {
    let DescribeQueryDefinitionsRequest {
        max_results,
        next_token,
        query_definition_name_prefix,
        query_language,
    } = input;
    speaks(query_language)?;
    let prefix = query_definition_name_prefix.unwrap_or_default();
    let table = table(&logs.store);
    let (all, _) = table.all(&table.within(&ctx.partition())).await?;
    let mut found: Vec<DefinitionRecord> = all
        .into_iter()
        .map(|entry| entry.value)
        .filter(|definition| definition.name.starts_with(&prefix))
        .collect();
    let place = |definition: &DefinitionRecord| format!("{}\n{}", definition.name, definition.id);
    found.sort_by_cached_key(place);
    let scope = ["DescribeQueryDefinitions", &prefix];
    let (found, next_token) = page::cut(
        ctx,
        &scope,
        found,
        place,
        false,
        max_results,
        next_token.as_deref(),
    )?;
    Ok(DescribeQueryDefinitionsResponse {
        next_token,
        query_definitions: Some(found.into_iter().map(show).collect()),
    })
}

fn show(definition: DefinitionRecord) -> QueryDefinition {
    let DefinitionRecord {
        id,
        name,
        text,
        groups,
        parameters,
        modified_at,
    } = definition;
    let parameter = |ParameterRecord {
                         name,
                         default,
                         description,
                     }| QueryParameter {
        name,
        default_value: default,
        description,
    };
    let parameters: Vec<QueryParameter> = parameters.into_iter().map(parameter).collect();
    QueryDefinition {
        last_modified: Some(modified_at.0),
        log_group_names: Some(groups).filter(|groups| !groups.is_empty()),
        name: Some(name),
        parameters: Some(parameters).filter(|parameters| !parameters.is_empty()),
        query_definition_id: Some(id),
        query_language: Some(QueryLanguage::Cwli),
        query_string: Some(text),
    }
}

pub(crate) async fn delete_query_definition(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteQueryDefinitionRequest,
) -> Result<DeleteQueryDefinitionResponse> {
    let DeleteQueryDefinitionRequest { query_definition_id } = input;
    let table = table(&logs.store);
    let delete = |found: Option<&DefinitionRecord>| match found {
        Some(_) => Ok(Change::Delete),
        None => Err(Error::NoSuchDefinition),
    };
    table
        .update(&table.key(&ctx.partition(), &query_definition_id), delete)
        .await?;
    Ok(DeleteQueryDefinitionResponse { success: Some(true) })
}
