use super::super::{Origin, origin::Generator};

/// Bytes of text that all records take theirs from.
const POOL: usize = 1 << 20;
/// The longest text of one record.
const LONGEST: usize = 1 << 16;
/// Different words: text of this many is compressed to about half, as log lines are to less.
const WORDS: usize = 2000;

/// Texts that follow from a number: places in one pool of words, far more of them than a store could keep apart by chance.
pub(super) struct Texts {
    pool: Vec<u8>,
}

impl Texts {
    pub(super) fn new(origin: &Origin) -> Self {
        let mut generator = origin.content();
        let words: Vec<String> = (0..WORDS).map(|_| word(&mut generator)).collect();
        let mut pool = Vec::with_capacity(POOL + LONGEST);
        while pool.len() < POOL + LONGEST {
            let place = usize::try_from(generator.below(WORDS as u64)).unwrap_or(0);
            pool.extend_from_slice(words.get(place).map_or(&b"word"[..], |word| word.as_bytes()));
            pool.push(b' ');
        }
        Self { pool }
    }

    /// The text of record `number`, `length` bytes of ASCII.
    pub(super) fn of(&self, number: u64, length: usize) -> &[u8] {
        // Knuth's multiplier spreads neighbours over the pool.
        let place = usize::try_from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44).unwrap_or(0) % POOL;
        self.pool.get(place..place + length.min(LONGEST)).unwrap_or_default()
    }
}

fn word(generator: &mut Generator) -> String {
    let length = 3 + usize::try_from(generator.below(8)).unwrap_or(0);
    generator.ascii(length).replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn texts_are_as_long_as_asked_for_and_differ() {
        let texts = Texts::new(&Origin::example(1));
        let other = Texts::new(&Origin::example(2));
        let seen: BTreeSet<&[u8]> = (0..10_000).map(|number| texts.of(number, 400)).collect();
        assert!(seen.iter().all(|text| text.len() == 400 && text.is_ascii()));
        assert!(seen.len() > 9_900, "{}", seen.len());
        assert_ne!(texts.of(7, 400), other.of(7, 400));
        assert_eq!(texts.of(u64::MAX, LONGEST).len(), LONGEST);
    }
}
