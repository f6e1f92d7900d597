//! The five figures of a box plot.

use crate::metrics::distribution::Distribution;

/// In milliseconds. The whiskers end at percentiles rather than at the extremes, which a single slow request in ten
/// thousand would stretch far beyond the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BoxStats {
    pub p5: f64,
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p95: f64,
}

impl BoxStats {
    /// `None` if nothing was recorded.
    pub(crate) fn of(times: &Distribution) -> Option<BoxStats> {
        (!times.is_empty()).then(|| BoxStats {
            p5: times.quantile_ms(0.05),
            p25: times.quantile_ms(0.25),
            p50: times.quantile_ms(0.50),
            p75: times.quantile_ms(0.75),
            p95: times.quantile_ms(0.95),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_spans_half_and_its_whiskers_nine_tenths() {
        let mut times = Distribution::new();
        (1..=100).for_each(|ms| times.record_ms(f64::from(ms)));
        let found = BoxStats::of(&times).unwrap();
        let expected = BoxStats { p5: 5.0, p25: 25.0, p50: 50.0, p75: 75.0, p95: 95.0 };
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 2e-3;
        assert!(near(found.p5, expected.p5) && near(found.p25, expected.p25), "{found:?}");
        assert!(near(found.p50, expected.p50) && near(found.p75, expected.p75), "{found:?}");
        assert!(near(found.p95, expected.p95), "{found:?}");
        assert_eq!(BoxStats::of(&Distribution::new()), None);
    }
}
