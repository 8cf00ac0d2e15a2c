//! OpenID Connect providers: who else may say who somebody is. The thumbprints are the request's: the control plane
//! looks none up.

use roadstead_api_iam::{
    AddClientIDToOpenIDConnectProviderRequest, CreateOpenIDConnectProviderRequest,
    CreateOpenIDConnectProviderResponse, DeleteOpenIDConnectProviderRequest, GetOpenIDConnectProviderRequest,
    GetOpenIDConnectProviderResponse, ListOpenIDConnectProvidersRequest, ListOpenIDConnectProvidersResponse,
    OpenIDConnectProviderListEntry, RemoveClientIDFromOpenIDConnectProviderRequest,
    UpdateOpenIDConnectProviderThumbprintRequest,
};
use roadstead_base::{Arn, Ctx};
use roadstead_protocol::ApiError;

use crate::error::{Result, already, input as invalid, no_provider, quota, validation};
use crate::limits;
use crate::ops::policies::bad_arn;
use crate::ops::tagging::checked_tags;
use crate::ops::users::NO_PATH;
use crate::realm::{Kind, Realm};
use crate::records::{ProviderRecord, Record};
use crate::service::Iam;
use crate::show;

const SCHEME: &str = "https://";

/// Without the scheme, as it stands in the ARN.
fn checked_url(url: &str) -> Result<String> {
    let bad = || validation("Invalid Open ID Connect Provider URL");
    let rest = url.strip_prefix(SCHEME).ok_or_else(bad)?;
    let host = rest.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '@' | '\\');
    if host.is_empty() || rest.contains(odd) {
        return Err(bad());
    }
    Ok(rest.to_owned())
}

fn checked_clients(clients: Vec<String>) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for client in clients {
        if !all.contains(&client) {
            all.push(client);
        }
    }
    match all.len() > limits::CLIENTS_PER_PROVIDER {
        true => Err(too_many_clients()),
        false => Ok(all),
    }
}

fn too_many_clients() -> ApiError {
    quota("ClientIdsPerOpenIdConnectProvider", limits::CLIENTS_PER_PROVIDER)
}

fn checked_thumbprints(thumbprints: Vec<String>) -> Result<Vec<String>> {
    if thumbprints.len() > limits::THUMBPRINTS_PER_PROVIDER {
        return Err(invalid("Thumbprint list must contain fewer than 5 entries."));
    }
    let hex = |text: &String| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match thumbprints.iter().all(hex) {
        true => Ok(thumbprints),
        false => Err(invalid(
            "A thumbprint is the SHA-1 of a certificate in 40 hexadecimal digits.",
        )),
    }
}

/// The part of the ARN that names the provider: its URL without the scheme.
fn name_in(arn: &str) -> Result<&str> {
    let parsed: Arn = arn.parse().map_err(|_| bad_arn(arn))?;
    if parsed.service != "iam" || parsed.resource_of("oidc-provider").is_none() {
        return Err(bad_arn(arn));
    }
    let at = arn.find(":oidc-provider/").ok_or_else(|| bad_arn(arn))?;
    Ok(&arn[at + ":oidc-provider/".len()..])
}

/// The provider of that ARN.
pub(crate) fn found<'a>(realm: &Realm<'a>, arn: &str) -> Result<&'a ProviderRecord> {
    let name = name_in(arn)?;
    let provider = realm.provider(name).map_err(|_| no_provider(arn))?;
    match realm.keys.arn(Kind::Provider, NO_PATH, &provider.url) == arn {
        true => Ok(provider),
        false => Err(no_provider(arn)),
    }
}

pub(crate) async fn create(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateOpenIDConnectProviderRequest,
) -> Result<CreateOpenIDConnectProviderResponse> {
    let CreateOpenIDConnectProviderRequest {
        url,
        client_id_list,
        tags,
        thumbprint_list,
    } = input;
    let record = ProviderRecord {
        url: checked_url(&url)?,
        clients: checked_clients(client_id_list.unwrap_or_default())?,
        thumbprints: checked_thumbprints(thumbprint_list.unwrap_or_default())?,
        created: iam.clock.now(),
        tags: checked_tags(Kind::Provider, tags)?,
    };
    iam.change(ctx, |realm, plan| {
        if realm.provider(&record.url).is_ok() {
            return Err(already(format!("Provider with url {url} already exists.")));
        }
        if realm.providers().len() >= limits::PROVIDERS {
            return Err(quota("OpenIdConnectProvidersPerAccount", limits::PROVIDERS));
        }
        plan.put(Kind::Provider, &record.url, Record::Provider(record.clone()));
        Ok(CreateOpenIDConnectProviderResponse {
            open_id_connect_provider_arn: Some(realm.keys.arn(Kind::Provider, NO_PATH, &record.url)),
            tags: show::tags(&record.tags),
        })
    })
    .await
}

pub(crate) async fn get(
    iam: &Iam,
    ctx: &Ctx,
    input: GetOpenIDConnectProviderRequest,
) -> Result<GetOpenIDConnectProviderResponse> {
    let GetOpenIDConnectProviderRequest {
        open_id_connect_provider_arn,
    } = input;
    iam.read(ctx, |realm| {
        let provider = found(realm, &open_id_connect_provider_arn)?;
        Ok(GetOpenIDConnectProviderResponse {
            url: Some(provider.url.clone()),
            client_id_list: Some(provider.clients.clone()),
            thumbprint_list: Some(provider.thumbprints.clone()),
            create_date: Some(show::whole_second(provider.created)),
            tags: show::tags(&provider.tags),
        })
    })
    .await
}

/// All of them: there are no pages.
pub(crate) async fn list(
    iam: &Iam,
    ctx: &Ctx,
    input: ListOpenIDConnectProvidersRequest,
) -> Result<ListOpenIDConnectProvidersResponse> {
    let ListOpenIDConnectProvidersRequest {} = input;
    iam.read(ctx, |realm| {
        let one = |provider: &ProviderRecord| OpenIDConnectProviderListEntry {
            arn: Some(realm.keys.arn(Kind::Provider, NO_PATH, &provider.url)),
        };
        Ok(ListOpenIDConnectProvidersResponse {
            open_id_connect_provider_list: Some(realm.providers().into_iter().map(one).collect()),
        })
    })
    .await
}

/// One that is not there is as good as deleted, as documented.
pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeleteOpenIDConnectProviderRequest) -> Result<()> {
    let DeleteOpenIDConnectProviderRequest {
        open_id_connect_provider_arn,
    } = input;
    name_in(&open_id_connect_provider_arn)?;
    iam.change(ctx, |realm, plan| {
        if let Ok(provider) = found(realm, &open_id_connect_provider_arn) {
            plan.delete(Kind::Provider, &provider.url);
        }
        Ok(())
    })
    .await
}

async fn edit(
    iam: &Iam,
    ctx: &Ctx,
    arn: &str,
    edit: impl Fn(&mut ProviderRecord) -> Result<()> + Send + Sync,
) -> Result<()> {
    iam.change(ctx, |realm, plan| {
        let before = found(realm, arn)?;
        let mut provider = before.clone();
        edit(&mut provider)?;
        if provider != *before {
            plan.put(Kind::Provider, &before.url, Record::Provider(provider));
        }
        Ok(())
    })
    .await
}

pub(crate) async fn add_client(
    iam: &Iam,
    ctx: &Ctx,
    input: AddClientIDToOpenIDConnectProviderRequest,
) -> Result<()> {
    let AddClientIDToOpenIDConnectProviderRequest {
        client_id,
        open_id_connect_provider_arn,
    } = input;
    let add = |provider: &mut ProviderRecord| {
        if provider.clients.contains(&client_id) {
            return Ok(());
        }
        if provider.clients.len() >= limits::CLIENTS_PER_PROVIDER {
            return Err(too_many_clients());
        }
        provider.clients.push(client_id.clone());
        Ok(())
    };
    edit(iam, ctx, &open_id_connect_provider_arn, add).await
}

pub(crate) async fn remove_client(
    iam: &Iam,
    ctx: &Ctx,
    input: RemoveClientIDFromOpenIDConnectProviderRequest,
) -> Result<()> {
    let RemoveClientIDFromOpenIDConnectProviderRequest {
        client_id,
        open_id_connect_provider_arn,
    } = input;
    let remove = |provider: &mut ProviderRecord| {
        provider.clients.retain(|client| *client != client_id);
        Ok(())
    };
    edit(iam, ctx, &open_id_connect_provider_arn, remove).await
}

pub(crate) async fn update_thumbprints(
    iam: &Iam,
    ctx: &Ctx,
    input: UpdateOpenIDConnectProviderThumbprintRequest,
) -> Result<()> {
    let UpdateOpenIDConnectProviderThumbprintRequest {
        open_id_connect_provider_arn,
        thumbprint_list,
    } = input;
    let thumbprints = checked_thumbprints(thumbprint_list)?;
    let update = |provider: &mut ProviderRecord| {
        provider.thumbprints.clone_from(&thumbprints);
        Ok(())
    };
    edit(iam, ctx, &open_id_connect_provider_arn, update).await
}
