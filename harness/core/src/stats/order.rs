//! Order statistics: a quantile of what was measured, and between which of the measured values that of all answers lies.

use super::{at_least, at_most};

/// Between which of the sorted values a quantile lies, as ranks from 1: each end holds with the confidence asked for, both together
/// with what is left of it twice. `None`: there are too few values to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// The quantile is at least the value of this rank.
    pub lower: Option<u32>,
    /// The quantile is at most the value of this rank.
    pub upper: Option<u32>,
}

/// The rank, from 1, of the measured `quantile` of `values` values: the smallest value that is not exceeded by more than a share of
/// `1 - quantile` of them. `None` where there are no values.
pub fn nearest_rank(values: u32, quantile: f64) -> Option<u32> {
    // Room for what a share such as 0.99 is off as a double.
    (1..=values).find(|rank| f64::from(*rank) + 1e-9 >= f64::from(values) * quantile)
}

/// The band of the `quantile` of all answers by `values` of them, whatever their distribution is: as many of the values lie at or below the
/// quantile as trials of that probability succeed.
///
/// The upper end is at most a bound exactly if no more values exceed the bound than a plan of so many looks allows.
pub fn band(values: u32, quantile: f64, confidence: f64) -> Band {
    let doubt = 1.0 - confidence;
    Band {
        lower: (1..=values).rev().find(|rank| at_least(*rank, values, quantile) >= confidence),
        // The value of a rank lies below the quantile if at least that many values do.
        upper: (1..=values).find(|rank| 1.0 - at_most(rank - 1, values, quantile) <= doubt),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::Plan;

    #[test]
    fn the_upper_end_is_where_the_plan_ends() {
        for plan in [Plan::FULL, Plan::QUICK] {
            let band = band(plan.looks, plan.quantile, plan.confidence);
            assert_eq!(band.upper, Some(plan.looks - plan.allowed), "{plan}");
        }
    }

    #[test]
    fn ranks_of_some_samples() {
        for (values, quantile, rank) in
            [(0, 0.5, None), (1, 0.99, Some(1)), (100, 0.99, Some(99)), (773, 0.99, Some(766)), (59, 0.95, Some(57))]
        {
            assert_eq!(nearest_rank(values, quantile), rank);
        }
        assert_eq!(band(58, 0.95, 0.95).upper, None);
        assert_eq!(band(0, 0.95, 0.95), Band { lower: None, upper: None });
    }

    /// The probability of every sample of answers that lie below the quantile with that probability, by every course.
    fn probability(values: u32, quantile: f64, wanted: impl Fn(u32) -> bool) -> f64 {
        (0_u32..1 << values)
            .map(u32::count_ones)
            .filter(|below| wanted(*below))
            .map(|below| {
                (0..below).map(|_| quantile).product::<f64>() * (below..values).map(|_| 1.0 - quantile).product::<f64>()
            })
            .sum()
    }

    proptest! {
        #[test]
        fn each_end_holds_with_its_confidence_and_the_next_rank_would_not(values in 1_u32..11, quantile in 0.05_f64..0.95, confidence in 0.5_f64..0.99) {
            let Band { lower, upper } = band(values, quantile, confidence);
            // The value of a rank is at most the quantile if at least that many values are.
            let lower_holds = |rank: u32| probability(values, quantile, |below| below >= rank);
            let upper_holds = |rank: u32| probability(values, quantile, |below| below < rank);
            let next_lower = lower.unwrap_or(0) + 1;
            prop_assert!(lower.is_none_or(|rank| lower_holds(rank) >= confidence - 1e-12));
            prop_assert!(next_lower > values || lower_holds(next_lower) < confidence + 1e-12);
            let next_upper = upper.map_or(values, |rank| rank - 1);
            prop_assert!(upper.is_none_or(|rank| upper_holds(rank) >= confidence - 1e-12));
            prop_assert!(next_upper == 0 || upper_holds(next_upper) < confidence + 1e-12);
        }

        #[test]
        fn the_upper_end_keeps_a_bound_as_the_plan_does(mut values in prop::collection::vec(0_u32..100, 1..200), bound in 0_u32..100, allowed in 0_u32..5) {
            let looks = u32::try_from(values.len()).unwrap();
            prop_assume!(allowed < looks);
            values.sort_unstable();
            let quantile = crate::stats::supported(looks, allowed, 0.95);
            prop_assume!(quantile > 0.0);
            let upper = band(looks, quantile, 0.95).upper.unwrap();
            let exceeded = u32::try_from(values.iter().filter(|value| **value > bound).count()).unwrap();
            let plan = Plan { looks, allowed, quantile, confidence: 0.95 };
            if plan.decide(looks, exceeded) == crate::stats::Decision::Kept {
                prop_assert!(values[upper as usize - 1] <= bound);
            }
        }
    }
}
