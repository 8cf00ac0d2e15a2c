//! Capacity provider strategies: how many copies count for which provider. Source: the API reference,
//! CapacityProviderStrategyItem: `base` is a least number for one provider, `weight` its share of all beyond.

/// One provider of a strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Share {
    /// Copies it has before any other has one.
    pub base: u32,
    pub weight: u32,
}

/// For each of the strategy's providers, in order, how many of `count` new copies it gets, when it has `existing`
/// copies already (absent ones count as none). Copies that no provider may take, because all weights are zero, are
/// in none of the numbers.
///
/// What a provider is due of all copies is its base and its part, by weight, of those beyond all bases; parts that are
/// no whole number are rounded so that they add up, the largest rests upwards, the first before the others. Copies
/// are not taken away: who has more than is due gets none.
pub fn distribute(strategy: &[Share], existing: &[u32], count: u32) -> Vec<u32> {
    let has: Vec<u64> = (0..strategy.len())
        .map(|at| existing.get(at).copied().map_or(0, u64::from))
        .collect();
    let mut given = vec![0_u64; strategy.len()];
    let mut left = u64::from(count);
    // Bases first.
    for ((share, has), given) in strategy.iter().zip(&has).zip(&mut given) {
        let wanted = u64::from(share.base).saturating_sub(*has).min(left);
        *given += wanted;
        left -= wanted;
    }
    let weights: u64 = strategy.iter().map(|share| u64::from(share.weight)).sum();
    if weights == 0 {
        return narrow(&given);
    }
    // The others one by one, each to whoever is furthest below what is due of the whole at its end.
    let beyond = |at: usize, given: &[u64]| {
        let all = has.get(at).copied().unwrap_or_default() + given.get(at).copied().unwrap_or_default();
        all.saturating_sub(strategy.get(at).map_or(0, |share| u64::from(share.base)))
    };
    let total: u64 = (0..strategy.len())
        .filter(|at| strategy.get(*at).is_some_and(|share| share.weight > 0))
        .map(|at| beyond(at, &given))
        .sum::<u64>()
        + left;
    let due = due(strategy, weights, total);
    for _ in 0..left {
        let lacking =
            |at: &usize| due.get(*at).copied().unwrap_or_default() as i128 - beyond(*at, &given) as i128;
        let open = (0..strategy.len()).filter(|at| strategy.get(*at).is_some_and(|share| share.weight > 0));
        // The first of those that lack most.
        let Some(next) = open.rev().max_by_key(lacking) else {
            break;
        };
        if let Some(given) = given.get_mut(next) {
            *given += 1;
        }
    }
    narrow(&given)
}

/// The parts of `total` by weight, rounded so that they add up.
fn due(strategy: &[Share], weights: u64, total: u64) -> Vec<u64> {
    let exact = |share: &Share| u128::from(total) * u128::from(share.weight);
    let whole = u128::from(weights);
    let mut due: Vec<u64> = strategy
        .iter()
        .map(|share| u64::try_from(exact(share) / whole).unwrap_or(u64::MAX))
        .collect();
    let rest = total.saturating_sub(due.iter().sum());
    let mut order: Vec<usize> = (0..strategy.len()).collect();
    // Stable: of equal rests the first goes first.
    order.sort_by_key(|at| std::cmp::Reverse(strategy.get(*at).map_or(0, |share| exact(share) % whole)));
    for at in order
        .into_iter()
        .take(usize::try_from(rest).unwrap_or(usize::MAX))
    {
        if let Some(due) = due.get_mut(at) {
            *due += 1;
        }
    }
    due
}

fn narrow(counts: &[u64]) -> Vec<u32> {
    counts
        .iter()
        .map(|count| u32::try_from(*count).unwrap_or(u32::MAX))
        .collect()
}
