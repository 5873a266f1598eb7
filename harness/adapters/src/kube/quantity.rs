/// A Kubernetes quantity (`1536Mi`, `1.5Gi`, `200m`) as `amount / 10^decimals`, without loss.
struct Quantity {
    amount: u128,
    decimals: u32,
}

impl Quantity {
    /// The quantity rounded up to whole parts of a `scale`th: 1 for bytes, 1000 for thousandths of a core.
    fn in_parts_of(&self, scale: u128) -> Option<u64> {
        let divisor = 10_u128.checked_pow(self.decimals)?;
        u64::try_from(self.amount.checked_mul(scale)?.div_ceil(divisor)).ok()
    }

    /// Reads what Kubernetes calls its canonical form and every other that it takes; negative ones are no amount of anything.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let amount: u128 = format!("{whole}{fraction}").parse().ok()?;
        let decimals = u32::try_from(fraction.len()).ok()?;
        let binary = |power: u32| Some(Self { amount: amount.checked_mul(1 << (10 * power))?, decimals });
        let decimal = |exponent: i32| {
            let decimals = i32::try_from(decimals).ok()?.checked_sub(exponent)?;
            let amount = amount.checked_mul(10_u128.checked_pow(decimals.min(0).unsigned_abs())?)?;
            Some(Self { amount, decimals: decimals.max(0).unsigned_abs() })
        };
        match suffix {
            "Ki" => binary(1),
            "Mi" => binary(2),
            "Gi" => binary(3),
            "Ti" => binary(4),
            "Pi" => binary(5),
            "Ei" => binary(6),
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "" => decimal(0),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            exponent => decimal(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
        }
    }
}

/// Bytes of a quantity, rounded up as Kubernetes does; `None` for what is none.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    Quantity::parse(text)?.in_parts_of(1)
}

/// Thousandths of a quantity, rounded up.
pub(super) fn millis(text: &str) -> Option<u64> {
    Quantity::parse(text)?.in_parts_of(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_is_exact_to_the_byte() {
        for (text, expected) in [
            ("0", 0),
            ("1", 1),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129E6", 129_000_000),
            ("129M", 129_000_000),
            ("128974848000m", 128_974_848),
            ("123Mi", 123 << 20),
            ("1536Mi", 1_610_612_736),
            ("1.5Gi", 1_610_612_736),
            ("1.50Gi", 1_610_612_736),
            ("0.1Gi", 107_374_183),
            (".5Ki", 512),
            ("5.", 5),
            ("+2k", 2000),
            ("1500m", 2),
            ("1Ti", 1 << 40),
            ("1Pi", 1 << 50),
            ("15Ei", 15 << 60),
            ("1E", 1_000_000_000_000_000_000),
            ("1e3", 1000),
            ("12e-1", 2),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn processors_are_counted_in_thousandths() {
        for (text, expected) in
            [("200m", 200), ("1", 1000), ("0.1", 100), ("1.5", 1500), ("100u", 1), ("2k", 2_000_000)]
        {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in
            ["", ".", "Mi", "-1", "1.2.3", "1 Gi", "1gi", "1GiB", "1e", "1e+", "e3", "0x10", "99999Ei", "1e99", "١"]
        {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9.]{0,40}(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|e-?[0-9]{1,12})?") {
            let _ = (bytes(&text), millis(&text));
        }

        #[test]
        fn a_thousand_and_twenty_four_of_one_are_one_of_the_next(amount in 0_u64..1_000_000) {
            prop_assert_eq!(bytes(&format!("{}Mi", amount * 1024)), bytes(&format!("{amount}Gi")));
        }
    }
}
