//! The binomial distribution, summed term by term: no approximation by another distribution.

/// The probability that at most `most` of `trials` independent trials succeed, each with probability `chance` (0 to 1).
pub fn at_most(most: u32, trials: u32, chance: f64) -> f64 {
    if most >= trials {
        return 1.0;
    }
    sum(0, most, trials, chance)
}

/// The probability that at least `least` of `trials` succeed.
pub fn at_least(least: u32, trials: u32, chance: f64) -> f64 {
    match least {
        0 => 1.0,
        least if least > trials => 0.0,
        least => sum(least, trials, trials, chance),
    }
}

/// The terms from `first` to `last`. Each is built up from its own factors, so that none of them is lost where those before it are too
/// small for a double.
fn sum(first: u32, last: u32, trials: u32, chance: f64) -> f64 {
    if chance <= 0.0 {
        return if first == 0 { 1.0 } else { 0.0 };
    }
    if chance >= 1.0 {
        return if last == trials { 1.0 } else { 0.0 };
    }
    let (success, failure) = (chance.ln(), (-chance).ln_1p());
    // ln of the number of ways to choose, from 0 up to the term.
    let mut ways = 0.0;
    let mut total = 0.0;
    for successes in 0..=last {
        if successes >= first {
            total += (ways + f64::from(successes) * success + f64::from(trials - successes) * failure).exp();
        }
        ways += f64::from(trials - successes).ln() - f64::from(successes + 1).ln();
    }
    total.min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every course that the trials can take, each with its own probability.
    fn by_every_course(wanted: impl Fn(u32) -> bool, trials: u32, chance: f64) -> f64 {
        (0_u32..1 << trials)
            .map(u32::count_ones)
            .filter(|successes| wanted(*successes))
            .map(|successes| {
                (0..successes).map(|_| chance).product::<f64>()
                    * (successes..trials).map(|_| 1.0 - chance).product::<f64>()
            })
            .sum()
    }

    proptest! {
        #[test]
        fn equal_to_the_sum_over_every_course(trials in 0_u32..12, number in 0_u32..14, chance in 0.0_f64..=1.0) {
            let most = by_every_course(|successes| successes <= number, trials, chance);
            prop_assert!((at_most(number, trials, chance) - most).abs() < 1e-12);
            let least = by_every_course(|successes| successes >= number, trials, chance);
            prop_assert!((at_least(number, trials, chance) - least).abs() < 1e-12);
        }

        #[test]
        fn at_most_and_more_make_everything(trials in 1_u32..3000, number in 0_u32..3000, chance in 0.0_f64..=1.0) {
            prop_assert!((at_most(number, trials, chance) + at_least(number + 1, trials, chance) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn certain_and_impossible_trials() {
        assert_eq!(
            [at_most(0, 5, 0.0), at_most(4, 5, 1.0), at_most(5, 5, 1.0), at_most(0, 0, 0.5)],
            [1.0, 0.0, 1.0, 1.0]
        );
        assert_eq!(
            [at_least(1, 5, 0.0), at_least(5, 5, 1.0), at_least(6, 5, 1.0), at_least(0, 5, 0.0)],
            [0.0, 1.0, 0.0, 1.0]
        );
    }

    #[test]
    fn terms_too_small_for_a_double_do_not_hide_those_that_follow() {
        assert!((at_least(90_000, 100_000, 0.95) - 1.0).abs() < 1e-9);
        assert!((at_most(95_000, 100_000, 0.95) - 0.5).abs() < 0.01);
    }
}
