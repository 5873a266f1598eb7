use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use sha2::{Digest, Sha256};

/// Where a stimulus comes from: enough to build the same records again, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The run's seed.
    pub seed: u64,
    /// The run's id, carried by every record.
    pub run: String,
    /// The stimulus' name within the run, carried by every record.
    pub stimulus: String,
    /// The wall-clock time that timestamps lead up to, nanoseconds since the Unix epoch.
    pub now_ns: i64,
}

impl Origin {
    /// What the content of records is drawn from: the same for a seed and a stimulus in every run.
    pub(super) fn content(&self) -> Generator {
        Generator::new(&[b"content", &self.seed.to_le_bytes(), self.stimulus.as_bytes()])
    }

    /// What ids are drawn from: other ones in every run, so that a replay of a seed does not find an earlier run's records.
    pub(super) fn identities(&self) -> Generator {
        Generator::new(&[b"identities", &self.seed.to_le_bytes(), self.stimulus.as_bytes(), self.run.as_bytes()])
    }
}

/// Random numbers that a seed fixes for good: ChaCha8's output by its definition, and reductions of our own, because those
/// of `rand` may change between its versions.
pub(super) struct Generator(ChaCha8Rng);

impl Generator {
    fn new(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The upper half of the product is below the bound.
        ((u128::from(self.number()) * u128::from(bound)) >> 64) as u64
    }

    /// As [`Generator::below`], for offsets in time.
    pub(super) fn offset(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(bound).unwrap_or(0))).unwrap_or(0)
    }

    /// `2 * N` lowercase hex digits, not all of them zero: an id of `N` bytes.
    pub(super) fn id<const N: usize>(&mut self) -> String {
        let mut bytes = [0_u8; N];
        self.0.fill_bytes(&mut bytes);
        if let Some(first) = bytes.first_mut() {
            // OTLP calls an id of zeros invalid.
            *first |= 1;
        }
        hex::encode(bytes)
    }

    /// Some text of `length` characters of plain ASCII.
    pub(super) fn ascii(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789 ";
        (0..length)
            .map(|_| {
                let index = usize::try_from(self.below(LETTERS.len() as u64)).unwrap_or(0);
                char::from(LETTERS.get(index).copied().unwrap_or(b' '))
            })
            .collect()
    }

    /// One of `texts`, empty where there is none.
    pub(super) fn pick(&mut self, texts: &[&str]) -> String {
        let index = usize::try_from(self.below(texts.len() as u64)).unwrap_or(0);
        texts.get(index).copied().unwrap_or_default().to_owned()
    }
}

/// Texts outside of ASCII: two- to four-byte characters, a combining mark, right-to-left, a joined emoji.
pub(super) const UNICODE: &[&str] =
    &["größer als Zürich", "東京タワー", "e\u{301}le\u{301}ment", "שלום עולם", "👩‍🚀 πάντα ῥεῖ", "\u{10348} ∀x∈ℝ"];

#[cfg(test)]
impl Origin {
    /// An origin for tests, in November 2026.
    pub(crate) fn example(seed: u64) -> Self {
        Self { seed, run: "r1".to_owned(), stimulus: "example".to_owned(), now_ns: 1_795_000_000_123_456_789 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_depends_on_seed_and_stimulus_but_not_on_the_run() {
        let origin = Origin::example(1);
        let number = origin.content().number();
        assert_eq!(Origin { run: "r2".to_owned(), ..origin.clone() }.content().number(), number);
        assert_ne!(Origin { seed: 2, ..origin.clone() }.content().number(), number);
        assert_ne!(Origin { stimulus: "other".to_owned(), ..origin }.content().number(), number);
    }

    #[test]
    fn ids_depend_on_the_run() {
        let origin = Origin::example(1);
        let id = origin.identities().id::<16>();
        assert_eq!(id.len(), 32);
        assert_ne!(Origin { run: "r2".to_owned(), ..origin }.identities().id::<16>(), id);
    }

    /// A change here means that seeds of earlier runs no longer replay.
    #[test]
    fn the_numbers_of_a_seed_are_fixed() {
        let mut generator = Origin::example(1).content();
        assert_eq!(
            [generator.number(), generator.below(1000), generator.below(0)],
            [5_211_777_523_651_659_855, 159, 0]
        );
    }
}
