//! Which version an alias starts an execution of: decisions alone.

use crate::error::{Error, Result};
use crate::records::Route;

/// Routes have so much of it together.
const WHOLE: u64 = 100;

/// What an alias may route to: versions that differ, with weights that make up the whole.
pub(crate) fn checked(routes: Vec<Route>) -> Result<Vec<Route>> {
    let invalid = |what: String| Err(Error::Validation(what));
    let total: u64 = routes.iter().map(|route| route.weight).sum();
    if total != WHOLE {
        let given: Vec<String> = routes.iter().map(|route| route.weight.to_string()).collect();
        return invalid(format!(
            "Sum of routing configuration weights must equal 100. Received: [{}]",
            given.join(", ")
        ));
    }
    if let [one, other] = routes.as_slice()
        && one.version == other.version
    {
        return invalid(format!(
            "The routing configuration must name two different versions, and names version {} twice",
            one.version
        ));
    }
    Ok(routes)
}

/// The version for a draw, which is as likely to be any number as another. `None` where nothing is routed to.
pub(crate) fn choose(routes: &[Route], draw: u64) -> Option<u64> {
    let mut left = draw % WHOLE;
    for route in routes {
        if left < route.weight {
            return Some(route.version);
        }
        left -= route.weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(weights: &[(u64, u64)]) -> Vec<Route> {
        let route = |(version, weight): &(u64, u64)| Route {
            version: *version,
            weight: *weight,
        };
        weights.iter().map(route).collect()
    }

    #[test]
    fn of_a_hundred_draws_each_version_gets_its_weight() {
        for weights in [
            &[(1, 100)][..],
            &[(1, 0), (2, 100)],
            &[(7, 100), (2, 0)],
            &[(1, 1), (2, 99)],
            &[(3, 37), (9, 63)],
        ] {
            let routes = checked(routes(weights)).expect("valid");
            for (version, weight) in weights {
                let hits = (1_000..1_100).filter(|draw| choose(&routes, *draw) == Some(*version));
                assert_eq!(hits.count() as u64, *weight, "{weights:?}");
            }
        }
    }

    #[test]
    fn weights_make_up_a_hundred_and_versions_differ() {
        for (weights, words) in [
            (&[(1, 99)][..], "must equal 100. Received: [99]"),
            (&[(1, 60), (2, 60)], "Received: [60, 60]"),
            (&[(1, 0), (2, 0)], "Received: [0, 0]"),
            (&[(4, 50), (4, 50)], "version 4 twice"),
        ] {
            let refused = checked(routes(weights)).expect_err("invalid").to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
