use std::{fmt::Write as _, str::FromStr};

use thiserror::Error;

/// A set of numbers, kept as ranges: sorted, apart from each other, both ends inclusive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    ranges: Vec<(u64, u64)>,
}

/// Why a text is no set of numbers.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("line {line}: expected FIRST-LAST, later than the line before, found {found:?}")]
pub struct NumbersError {
    /// From 1.
    pub line: usize,
    /// What stands there.
    pub found: String,
}

impl Numbers {
    /// The set of all numbers in `ranges`, in any order, and how many of them stood there more than once.
    pub fn gather(mut ranges: Vec<(u64, u64)>) -> (Self, u64) {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut gathered: Vec<(u64, u64)> = Vec::new();
        let mut doubled = Self::default();
        for (first, last) in ranges {
            match gathered.last_mut() {
                Some((_, end)) if first <= *end => {
                    doubled.push(first, last.min(*end));
                    *end = last.max(*end);
                }
                Some((_, end)) if first == *end + 1 => *end = last,
                _ => gathered.push((first, last)),
            }
        }
        (Self { ranges: gathered }, doubled.len())
    }

    /// Adds a range that begins no earlier than the one added before.
    fn push(&mut self, first: u64, last: u64) {
        match self.ranges.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => self.ranges.push((first, last)),
        }
    }

    /// How many numbers.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, in order.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    /// The numbers that are not in `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut left = Vec::new();
        let mut others = others.ranges.iter().copied().peekable();
        for (first, last) in &self.ranges {
            let mut from = *first;
            while let Some((begin, end)) = others.peek().copied() {
                if end < from {
                    others.next();
                    continue;
                }
                if begin > *last {
                    break;
                }
                if begin > from {
                    left.push((from, begin - 1));
                }
                from = end.saturating_add(1);
                if end >= *last {
                    break;
                }
                others.next();
            }
            if from <= *last {
                left.push((from, *last));
            }
        }
        Self { ranges: left }
    }

    /// The numbers that are in both.
    #[must_use]
    pub fn both(&self, others: &Self) -> Self {
        self.without(&self.without(others))
    }
}

/// A range a line, `FIRST-LAST`.
impl std::fmt::Display for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        for (first, last) in &self.ranges {
            writeln!(text, "{first}-{last}")?;
        }
        f.write_str(&text)
    }
}

impl FromStr for Numbers {
    type Err = NumbersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = Self::default();
        for (index, line) in text.lines().enumerate() {
            let range = line.split_once('-').and_then(|(first, last)| {
                let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
                let begins_later = numbers.ranges.last().is_none_or(|(_, end)| first > *end);
                (first <= last && begins_later).then_some((first, last))
            });
            match range {
                Some((first, last)) => numbers.push(first, last),
                None => return Err(NumbersError { line: index + 1, found: line.to_owned() }),
            }
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(numbers: &Numbers) -> BTreeSet<u64> {
        numbers.ranges().iter().flat_map(|(first, last)| *first..=*last).collect()
    }

    fn some() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0_u64..60, 0_u64..8).prop_map(|(first, more)| (first, first + more)), 0..12)
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_its_numbers(one in some(), other in some()) {
            let all: Vec<u64> = one.iter().flat_map(|(first, last)| *first..=*last).collect();
            let (numbers, doubled) = Numbers::gather(one);
            let distinct: BTreeSet<u64> = all.iter().copied().collect();
            prop_assert_eq!(set(&numbers), distinct.clone());
            prop_assert_eq!(numbers.len(), distinct.len() as u64);
            let twice = distinct.iter().filter(|number| all.iter().filter(|one| one == number).count() > 1).count();
            prop_assert_eq!(doubled, twice as u64);
            prop_assert!(numbers.ranges().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            let (others, _) = Numbers::gather(other);
            prop_assert_eq!(set(&numbers.without(&others)), &set(&numbers) - &set(&others));
            prop_assert_eq!(set(&numbers.both(&others)), &set(&numbers) & &set(&others));
            prop_assert_eq!(numbers.to_string().parse::<Numbers>().unwrap(), numbers);
        }
    }

    #[test]
    fn what_is_no_range_is_told_by_its_line() {
        for (text, line) in [("1-2\nx", 2), ("5-4", 1), ("1-2\n2-3", 2), ("7", 1)] {
            assert_eq!(text.parse::<Numbers>().unwrap_err().line, line, "{text:?}");
        }
    }
}
