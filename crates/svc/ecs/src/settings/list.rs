//! ListAccountSettings: what a principal chose, or what holds for it.

use roadstead_api_ecs::{ListAccountSettingsRequest, ListAccountSettingsResponse, SettingName};
use roadstead_base::Ctx;

use super::{KNOWN, chosen, effective, known, principal, show};
use crate::Ecs;
use crate::error::{Error, Result};
use crate::paging::Paging;

/// Of one page.
const MAX_RESULTS: i32 = 10;

pub(crate) async fn list_account_settings(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListAccountSettingsRequest,
) -> Result<ListAccountSettingsResponse> {
    let ListAccountSettingsRequest {
        name,
        value,
        principal_arn,
        effective_settings,
        next_token,
        max_results,
    } = input;
    if value.is_some() && name.is_none() {
        return Err(Error::invalid("To filter by value, name must be specified."));
    }
    if let Some(name) = name {
        known(name)?;
    }
    let limit = max_results.unwrap_or(MAX_RESULTS);
    if !(1..=MAX_RESULTS).contains(&limit) {
        return Err(Error::invalid("maxResults must be between 1 and 10."));
    }
    let principal = principal(ctx, principal_arn)?;
    let holds = effective_settings == Some(true);
    let filters = [
        "ListAccountSettings",
        &principal,
        name.map_or("", SettingName::as_str),
        value.as_deref().unwrap_or_default(),
        if holds { "effective" } else { "chosen" },
    ];
    let paging = Paging::of(ctx, &filters, Some(limit), next_token.as_deref())?;
    let mut found = Vec::new();
    for (known, ..) in KNOWN
        .iter()
        .filter(|(known, ..)| name.is_none_or(|name| name == *known))
    {
        let own = if holds {
            Some(effective(ecs, ctx, *known, &principal).await?)
        } else {
            chosen(ecs, ctx, *known, &principal).await?
        };
        found.extend(own.map(|own| (*known, own)));
    }
    found.retain(|(_, own)| value.as_ref().is_none_or(|value| value == own));
    let page = paging.cut(ctx, found, |(name, _)| name.as_str().to_owned(), false);
    let shown = page
        .items
        .into_iter()
        .map(|(name, own)| show(name, own, principal.clone()));
    Ok(ListAccountSettingsResponse {
        settings: Some(shown.collect()),
        next_token: page.next_token,
    })
}
