//! A sampling plan: how many looks are taken, how many of them may exceed the bound, and what follows if no more do.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::at_most;

/// Fixed before the first look: if at most `allowed` of `looks` exceed the bound, then with a confidence of at least `confidence` the
/// share `quantile` of all answers lies within it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How many looks are taken.
    pub looks: u32,
    /// How many of them may exceed the bound.
    pub allowed: u32,
    /// The share of all answers that the claim is about, such as 0.99.
    pub quantile: f64,
    /// The least confidence of the claim, such as 0.95.
    pub confidence: f64,
}

/// Why a plan does not support what it claims.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum PlanError {
    /// Quantile or confidence is no share between 0 and 1, or no look could exceed anything.
    #[error("a plan of {0} is about nothing")]
    Empty(Plan),
    /// Too few looks for so many allowed exceedances.
    #[error("a plan of {plan} has a confidence of {} only", percent(*confidence))]
    TooWeak {
        /// The plan.
        plan: Plan,
        /// What it supports.
        confidence: f64,
    },
}

/// What looks taken so far say of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// However the remaining looks end, no more than allowed exceed.
    Kept,
    /// More than allowed exceed already.
    Broken,
    /// The remaining looks decide.
    Open,
}

impl Plan {
    /// 3 of 773: 99 % with 95 % confidence.
    pub const FULL: Self = Self { looks: 773, allowed: 3, quantile: 0.99, confidence: 0.95 };

    /// 0 of 59: 95 % with 95 % confidence.
    pub const QUICK: Self = Self { looks: 59, allowed: 0, quantile: 0.95, confidence: 0.95 };

    /// The confidence with which the claim can be made: one less the probability that so few looks exceed although only the share
    /// `quantile` of all answers lies within the bound.
    pub fn supported_confidence(&self) -> f64 {
        1.0 - at_most(self.allowed, self.looks, 1.0 - self.quantile)
    }

    /// Whether the plan supports its claim.
    ///
    /// # Errors
    /// [`PlanError`]: it does not.
    pub fn check(&self) -> Result<(), PlanError> {
        let share = |value: f64| value > 0.0 && value < 1.0;
        if self.allowed >= self.looks || !share(self.quantile) || !share(self.confidence) {
            return Err(PlanError::Empty(*self));
        }
        let confidence = self.supported_confidence();
        if confidence < self.confidence { Err(PlanError::TooWeak { plan: *self, confidence }) } else { Ok(()) }
    }

    /// What `taken` looks of which `exceeded` exceed the bound decide.
    pub fn decide(&self, taken: u32, exceeded: u32) -> Decision {
        let remaining = self.looks.saturating_sub(taken);
        if exceeded > self.allowed {
            Decision::Broken
        } else if exceeded.saturating_add(remaining) <= self.allowed {
            Decision::Kept
        } else {
            Decision::Open
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { looks, allowed, quantile, confidence } = self;
        write!(f, "{allowed} of {looks} for {} with {} confidence", percent(*quantile), percent(*confidence))
    }
}

/// The greatest share of all answers of which `taken` looks, `exceeded` of them beyond the bound, support with `confidence` that it lies
/// within (Clopper and Pearson's one-sided limit), rounded down to a thousandth; 0 where they support nothing.
pub fn supported(taken: u32, exceeded: u32, confidence: f64) -> f64 {
    let supports =
        |thousandths: u32| at_most(exceeded, taken, 1.0 - f64::from(thousandths) / 1000.0) <= 1.0 - confidence;
    let (mut yes, mut no) = (0, 1000);
    while no - yes > 1 {
        let middle = u32::midpoint(yes, no);
        if supports(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    f64::from(yes) / 1000.0
}

/// A share in words: `99 %`, `99.5 %`.
pub fn percent(share: f64) -> String {
    let percent = (share * 1000.0).round() / 10.0;
    format!("{percent} %")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_plans_are_the_smallest_that_support_their_claims() {
        for plan in [Plan::FULL, Plan::QUICK] {
            assert_eq!(plan.check(), Ok(()));
            let smaller = Plan { looks: plan.looks - 1, ..plan };
            assert!(matches!(smaller.check(), Err(PlanError::TooWeak { .. })), "{smaller}");
            let laxer = Plan { allowed: plan.allowed + 1, ..plan };
            assert!(laxer.check().is_err(), "{laxer}");
        }
        assert_eq!(Plan::FULL.to_string(), "3 of 773 for 99 % with 95 % confidence");
    }

    #[test]
    fn a_plan_about_nothing_is_none() {
        for plan in [
            Plan { looks: 0, allowed: 0, ..Plan::QUICK },
            Plan { allowed: 59, ..Plan::QUICK },
            Plan { quantile: 1.0, ..Plan::QUICK },
            Plan { quantile: f64::NAN, ..Plan::QUICK },
            Plan { confidence: 0.0, ..Plan::QUICK },
        ] {
            assert!(matches!(plan.check(), Err(PlanError::Empty(_))), "{plan}");
        }
    }

    #[test]
    fn too_few_looks_support_less() {
        for (taken, exceeded, share) in
            [(0, 0, 0.0), (2, 0, 0.223), (59, 0, 0.95), (58, 0, 0.949), (773, 3, 0.99), (10, 10, 0.0)]
        {
            assert_eq!(supported(taken, exceeded, 0.95), share, "{exceeded} of {taken}");
        }
    }

    proptest! {
        #[test]
        fn a_decision_is_certain_when_every_course_agrees(looks in 1_u32..9, allowed in 0_u32..9, course in any::<u32>()) {
            let plan = Plan { looks, allowed, ..Plan::QUICK };
            for taken in 0..=looks {
                let so_far = course & ((1 << taken) - 1);
                let remaining = looks - taken;
                let broken: Vec<bool> = (0_u32..1 << remaining)
                    .map(|rest| so_far.count_ones() + rest.count_ones() > allowed)
                    .collect();
                let expected = match (broken.contains(&true), broken.contains(&false)) {
                    (true, false) => Decision::Broken,
                    (false, _) => Decision::Kept,
                    (true, true) => Decision::Open,
                };
                prop_assert_eq!(plan.decide(taken, so_far.count_ones()), expected, "after {}", taken);
            }
        }

        #[test]
        fn what_is_supported_is_the_greatest_share(taken in 1_u32..400, exceeded in 0_u32..400, confidence in 0.5_f64..0.999) {
            let exceeded = exceeded.min(taken - 1);
            let share = supported(taken, exceeded, confidence);
            let makes = |quantile: f64| Plan { looks: taken, allowed: exceeded, quantile, confidence }.check();
            prop_assert!(share == 0.0 || makes(share).is_ok());
            prop_assert!(makes(share + 0.001).is_err());
        }

        #[test]
        fn a_plan_fails_who_breaks_its_claim_with_its_confidence(looks in 1_u32..12, allowed in 0_u32..4, quantile in 0.05_f64..0.95) {
            prop_assume!(allowed < looks);
            let plan = Plan { looks, allowed, quantile, confidence: 0.5 };
            // A stack of which exactly that share of answers lies within the bound, by every course that the looks can take.
            let kept: f64 = (0_u32..1 << looks)
                .map(u32::count_ones)
                .filter(|exceeded| plan.decide(looks, *exceeded) == Decision::Kept)
                .map(|exceeded| (0..exceeded).map(|_| 1.0 - quantile).product::<f64>()
                    * (exceeded..looks).map(|_| quantile).product::<f64>())
                .sum();
            prop_assert!((1.0 - kept - plan.supported_confidence()).abs() < 1e-12);
        }
    }
}
