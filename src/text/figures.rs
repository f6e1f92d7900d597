//! Formats figures for people, the same everywhere.

/// Three to four significant digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        magnitude if magnitude >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A share: `3 %`, `0.7 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    // Rounding must not hide a loss.
    let shown = if (99.9..100.0).contains(&percent) {
        format!("{:.2}", (percent * 100.0).floor() / 100.0)
    } else {
        format!("{percent:.1}")
    };
    format!("{} %", shown.strip_suffix(".0").unwrap_or(&shown))
}

/// A change: `+3.1 %`, `−0.7 %`.
pub(crate) fn signed_percent(change: f64) -> String {
    let tenths = (change * 1000.0).round();
    let sign = if tenths < 0.0 { '−' } else { '+' };
    format!("{sign}{:.1} %", tenths.abs() / 10.0)
}

/// An interval of changes, in percent: `−8.1 … −6.5`.
pub(crate) fn interval((low, high): (f64, f64)) -> String {
    let end = |change| signed_percent(change).replace(" %", "");
    format!("{} … {}", end(low), end(high))
}

/// A count with its noun: `1 session`, `4 sessions`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A size on disk: `9.8 GB`.
pub(crate) fn bytes(bytes: u64) -> String {
    format!("{} GB", number(bytes as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_keep_the_digit_that_matters() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.9999), "99.99 %");
        assert_eq!(percent(0.99999), "99.99 %");
        assert_eq!(percent(0.03), "3 %");
        assert_eq!(percent(0.007), "0.7 %");
        assert_eq!(percent(0.0), "0 %");
    }

    #[test]
    fn changes_have_a_sign() {
        assert_eq!(signed_percent(-0.073), "−7.3 %");
        assert_eq!(signed_percent(0.1), "+10.0 %");
        assert_eq!(signed_percent(-0.0004), "+0.0 %");
    }
    #[test]
    fn an_interval_starts_with_its_lower_end() {
        assert_eq!(interval((-0.081, 0.016)), "−8.1 … +1.6");
    }
}
