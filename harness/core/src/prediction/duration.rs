use std::time::Duration;

/// A duration as Go prints it (`time.Duration.String`): `1h30m0s`, `1.5s`, `200ms`, `0s`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, unit_on) = rest.split_at(number_end);
        let unit_end = unit_on.find(|letter: char| letter.is_ascii_digit()).unwrap_or(unit_on.len());
        let (unit, next) = unit_on.split_at(unit_end);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_prints_them() {
        for (text, milliseconds) in
            [("0s", 0), ("5s", 5_000), ("1h30m0s", 5_400_000), ("1.5s", 1_500), ("200ms", 200), ("10m0s", 600_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "5d", "1h-", "x5s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
