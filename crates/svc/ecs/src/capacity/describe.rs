//! DescribeCapacityProviders.

use roadstead_api_ecs::{
    CapacityProvider, CapacityProviderField, CapacityProviderStatus, CapacityProviderType,
    DescribeCapacityProvidersRequest, DescribeCapacityProvidersResponse, Failure,
};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::capacity::{BUILT_IN, arn, find};
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::paging::Paging;

/// Providers that one call may name.
const MAX: usize = 100;
const PAGE: i32 = 10;

pub(crate) async fn describe_capacity_providers(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeCapacityProvidersRequest,
) -> Result<DescribeCapacityProvidersResponse> {
    let DescribeCapacityProvidersRequest {
        capacity_providers: named,
        cluster,
        include,
        max_results,
        next_token,
    } = input;
    let named = named.unwrap_or_default();
    if named.len() > MAX {
        return Err(Error::invalid(format!(
            "capacityProviders can have at most {MAX} items."
        )));
    }
    if max_results.is_some_and(|max| !(1..=PAGE).contains(&max)) {
        return Err(Error::invalid("maxResults must be between 1 and 10."));
    }
    // They have no tags, and nobody can give them any: there are none to be shown, asked for or not.
    match include.unwrap_or_default().first() {
        None | Some(CapacityProviderField::Tags) => {}
    }
    let of_cluster = match &cluster {
        Some(cluster) => Some(
            get_cluster(ecs, ctx, Some(cluster))
                .await?
                .value
                .capacity_providers,
        ),
        None => None,
    };
    let mut wanted = Vec::new();
    let mut failures = Vec::new();
    for text in &named {
        match find(ctx, text) {
            Some(name) => wanted.push(name),
            None => failures.push(Failure {
                arn: Some(if text.starts_with("arn:") {
                    text.clone()
                } else {
                    arn(ctx, text)
                }),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    let found = BUILT_IN.into_iter().filter(|name| {
        (named.is_empty() || wanted.contains(name))
            && of_cluster
                .as_ref()
                .is_none_or(|has| has.iter().any(|has| has == name))
    });
    let cluster = cluster.unwrap_or_default();
    let names = named.join(",");
    let filters = ["DescribeCapacityProviders", &cluster, &names];
    let paging = Paging::of(ctx, &filters, max_results.or(Some(PAGE)), next_token.as_deref())?;
    let page = paging.cut(ctx, found, |name| (*name).to_owned(), false);
    let show = |name: &&str| CapacityProvider {
        capacity_provider_arn: Some(arn(ctx, name)),
        name: Some((*name).to_owned()),
        status: Some(CapacityProviderStatus::Active),
        tags: Some(Vec::new()),
        r#type: Some(match *name {
            "FARGATE" => CapacityProviderType::Fargate,
            _ => CapacityProviderType::FargateSpot,
        }),
        ..CapacityProvider::default()
    };
    Ok(DescribeCapacityProvidersResponse {
        capacity_providers: Some(page.items.iter().map(show).collect()),
        failures: Some(failures),
        next_token: page.next_token,
    })
}
