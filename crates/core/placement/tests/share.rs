//! How copies are spread over capacity providers: by table, and whatever the numbers are.

use proptest::prelude::*;
use roadstead_placement::{Share, distribute};

fn share(base: u32, weight: u32) -> Share {
    Share { base, weight }
}

#[test]
fn bases_come_first_and_weights_share_the_rest() {
    for (strategy, existing, count, expected) in [
        (vec![share(0, 1)], vec![], 5, vec![5]),
        (vec![share(0, 1), share(0, 1)], vec![], 5, vec![3, 2]),
        (vec![share(0, 1), share(0, 4)], vec![], 10, vec![2, 8]),
        (vec![share(2, 1), share(0, 1)], vec![], 1, vec![1, 0]),
        (vec![share(2, 1), share(0, 1)], vec![], 6, vec![4, 2]),
        (vec![share(1, 0), share(0, 1)], vec![], 4, vec![1, 3]),
        (vec![share(0, 0), share(0, 1)], vec![], 4, vec![0, 4]),
        // All weights are zero: what is beyond the base has no place.
        (vec![share(1, 0)], vec![], 4, vec![1]),
        (vec![], vec![], 4, vec![]),
        // What is there counts.
        (vec![share(2, 1), share(0, 1)], vec![0, 4], 4, vec![4, 0]),
        (vec![share(0, 1), share(0, 1)], vec![5, 0], 2, vec![0, 2]),
        (vec![share(0, 1), share(0, 3)], vec![1, 3], 4, vec![1, 3]),
    ] {
        assert_eq!(
            distribute(&strategy, &existing, count),
            expected,
            "{strategy:?} {existing:?} {count}"
        );
    }
}

fn strategy() -> impl Strategy<Value = Vec<Share>> {
    (prop::collection::vec(0u32..1000, 1..7), 0usize..7, 0u32..50).prop_map(|(weights, at, base)| {
        let mut shares: Vec<Share> = weights.into_iter().map(|weight| share(0, weight)).collect();
        if let Some(share) = shares.get_mut(at) {
            share.base = base;
        }
        shares
    })
}

proptest! {
    #[test]
    fn shares_add_up_and_are_fair(strategy in strategy(), count in 0u32..500) {
        let given = distribute(&strategy, &[], count);
        let weights: u32 = strategy.iter().map(|share| share.weight).sum();
        let base: u32 = strategy.iter().map(|share| share.base).sum();
        let placed: u32 = given.iter().sum();
        prop_assert_eq!(placed, if weights == 0 { base.min(count) } else { count });
        let beyond = count.saturating_sub(base);
        for (share, given) in strategy.iter().zip(&given) {
            prop_assert!(*given >= share.base.min(count));
            prop_assert!(share.weight > 0 || *given <= share.base);
            if weights > 0 && count >= base {
                // Within one of the exact part.
                let exact = f64::from(beyond) * f64::from(share.weight) / f64::from(weights);
                prop_assert!((f64::from(given - share.base) - exact).abs() < 1.0, "{given} {exact}");
            }
        }
    }

    /// One at a time or all at once: in the end each provider has its part, give or take one for each provider.
    #[test]
    fn one_at_a_time_comes_to_the_same(strategy in strategy(), count in 0u32..100) {
        let at_once = distribute(&strategy, &[], count);
        let mut has = vec![0; strategy.len()];
        for _ in 0..count {
            let given = distribute(&strategy, &has, 1);
            for (has, given) in has.iter_mut().zip(given) {
                *has += given;
            }
        }
        prop_assert_eq!(has.iter().sum::<u32>(), at_once.iter().sum::<u32>());
        for (one, all) in has.iter().zip(&at_once) {
            prop_assert!(one.abs_diff(*all) as usize <= strategy.len(), "{has:?} {at_once:?}");
        }
    }
}
