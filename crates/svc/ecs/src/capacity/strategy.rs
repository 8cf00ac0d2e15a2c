//! Capacity provider strategies: what a request or a cluster says, checked and kept. Source: the API reference,
//! CapacityProviderStrategyItem.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_api_ecs::{CapacityProviderStrategyItem, LaunchType};
use roadstead_base::Ctx;
use roadstead_placement::{Share, distribute};
use serde::{Deserialize, Serialize};

use crate::capacity::{find, not_found};
use crate::clusters::ClusterRecord;
use crate::error::{Error, Result};

/// Providers of one strategy.
const MAX: usize = 20;

/// One provider of a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyItem {
    pub provider: String,
    pub weight: u32,
    pub base: u32,
}

/// Names of providers that a cluster is to have, each once.
pub(crate) fn check_providers(ctx: &Ctx, named: Option<Vec<String>>) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for text in named.unwrap_or_default() {
        let name = find(ctx, &text).ok_or_else(not_found)?.to_owned();
        if names.contains(&name) {
            return Err(Error::invalid(format!(
                "capacityProviders names {name} more than once."
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// A strategy whose providers are all of a cluster that has these.
pub(crate) fn check_strategy(
    ctx: &Ctx,
    available: &[String],
    items: Option<Vec<CapacityProviderStrategyItem>>,
) -> Result<Vec<StrategyItem>> {
    let items = items.unwrap_or_default();
    if items.len() > MAX {
        return Err(Error::invalid(format!(
            "A capacity provider strategy can have at most {MAX} capacity providers."
        )));
    }
    let (mut strategy, mut seen) = (Vec::new(), BTreeSet::new());
    for CapacityProviderStrategyItem {
        capacity_provider,
        base,
        weight,
    } in items
    {
        let provider = find(ctx, &capacity_provider).ok_or_else(not_found)?.to_owned();
        if !available.contains(&provider) {
            return Err(Error::invalid(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated \
                 with the cluster. Associate the capacity provider with the cluster and try again.",
            ));
        }
        if !seen.insert(provider.clone()) {
            return Err(Error::invalid(format!(
                "The capacity provider strategy names {provider} more than once."
            )));
        }
        let number = |value: Option<i32>| u32::try_from(value.unwrap_or_default()).unwrap_or_default();
        strategy.push(StrategyItem {
            provider,
            weight: number(weight),
            base: number(base),
        });
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        return Err(Error::invalid(
            "Only one capacity provider in a capacity provider strategy can have a base defined.",
        ));
    }
    if strategy.len() > 1 && strategy.iter().all(|item| item.weight == 0) {
        return Err(Error::invalid(
            "At least one capacity provider in a capacity provider strategy must have a weight greater than zero.",
        ));
    }
    Ok(strategy)
}

pub(crate) fn show_strategy(strategy: &[StrategyItem]) -> Vec<CapacityProviderStrategyItem> {
    let number = |value: u32| Some(i32::try_from(value).unwrap_or(i32::MAX));
    let show = |item: &StrategyItem| CapacityProviderStrategyItem {
        capacity_provider: item.provider.clone(),
        base: number(item.base),
        weight: number(item.weight),
    };
    strategy.iter().map(show).collect()
}

/// The strategy that decides: the request's own, or the cluster's where the request names no launch type either.
/// Empty: the launch type decides.
pub(crate) fn strategy_of(
    ctx: &Ctx,
    cluster: &ClusterRecord,
    launch_type: Option<LaunchType>,
    items: Option<Vec<CapacityProviderStrategyItem>>,
) -> Result<Vec<StrategyItem>> {
    let items = items.filter(|items| !items.is_empty());
    match (launch_type, items) {
        (Some(_), Some(_)) => Err(Error::invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        )),
        (Some(_), None) => Ok(Vec::new()),
        (None, Some(items)) => check_strategy(ctx, &cluster.capacity_providers, Some(items)),
        (None, None) => Ok(cluster.default_strategy.clone()),
    }
}

/// A provider that stands alone has all copies, whatever its weight.
fn weighed(strategy: &[StrategyItem]) -> Vec<Share> {
    let alone = strategy.len() == 1;
    let share = |item: &StrategyItem| Share {
        base: item.base,
        weight: if alone { 1 } else { item.weight },
    };
    strategy.iter().map(share).collect()
}

/// For each of `count` new copies beside those that each provider has, in order of the strategy (none given: they have
/// none), the provider it counts for, those of bases first.
pub(crate) fn shares(strategy: &[StrategyItem], existing: &[u32], count: usize) -> Vec<String> {
    let given = distribute(
        &weighed(strategy),
        existing,
        u32::try_from(count).unwrap_or(u32::MAX),
    );
    let mut order: Vec<(&StrategyItem, u32)> = strategy.iter().zip(given).collect();
    order.sort_by_key(|(item, _)| item.base == 0);
    let copies = order.into_iter().flat_map(|(item, given)| {
        std::iter::repeat_n(&item.provider, usize::try_from(given).unwrap_or_default())
    });
    copies.cloned().collect()
}

/// How many of `count` copies in all each provider is to have.
pub(crate) fn due(strategy: &[StrategyItem], count: usize) -> BTreeMap<String, usize> {
    let given = distribute(&weighed(strategy), &[], u32::try_from(count).unwrap_or(u32::MAX));
    let whole = |given: u32| usize::try_from(given).unwrap_or_default();
    strategy
        .iter()
        .zip(given)
        .map(|(item, given)| (item.provider.clone(), whole(given)))
        .collect()
}
