//! Draws a distribution as a curve: the share of times up to each value.

use crate::metrics::distribution::Distribution;
use crate::report::chart::palette::SeriesColor;
use crate::report::chart::{Axis, DataPoint, Marks, Panel, Scale, Series, Stroke, log_marks};

/// Shares in steps of a hundredth, then the tail, which matters most.
const STEPS: u32 = 100;
const TAIL: [f64; 2] = [0.995, 0.999];

/// Several distributions over one time axis; `label` includes the unit.
pub(crate) fn panel(label: &str, distributions: &[(String, SeriesColor, &Distribution)]) -> Panel {
    let series: Vec<Series> = distributions
        .iter()
        .map(|(name, color, times)| Series {
            name: name.clone(),
            color: *color,
            marks: Marks::Line { stroke: Stroke::Solid, points: points(times) },
        })
        .collect();
    let nonempty = distributions.iter().filter(|(_, _, times)| !times.is_empty());
    let (low, high) = nonempty.fold((f64::INFINITY, 0.0_f64), |(low, high), (_, _, times)| {
        (low.min(times.quantile_ms(0.0)), high.max(times.quantile_ms(0.999)))
    });
    Panel {
        title: String::new(),
        x: Axis::new(label, Scale::Log { marks: log_marks(low, high) }),
        y: Axis::new("cumulative share", Scale::Share),
        series,
        guides: Vec::new(),
    }
}

fn points(times: &Distribution) -> Vec<DataPoint> {
    if times.is_empty() {
        return Vec::new();
    }
    let shares = (0..STEPS).map(|step| f64::from(step) / f64::from(STEPS)).chain(TAIL);
    let points = shares.map(|share| DataPoint::new(times.quantile_ms(share), share));
    // A logarithmic axis has no zero.
    points.filter(|point| point.x > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cumulative_curve_never_decreases() {
        let mut times = Distribution::new();
        (1..=500).for_each(|ms| times.record_ms(f64::from(ms * ms % 499)));
        let panel = panel("TTFT (ms)", &[("vllm".into(), SeriesColor::Target(0), &times)]);
        let Marks::Line { points, .. } = &panel.series[0].marks else { panic!("not a line") };
        assert!(points.len() > 90);
        assert!(points.windows(2).all(|pair| pair[0].x <= pair[1].x && pair[0].y < pair[1].y));
    }

    #[test]
    fn without_times_there_is_no_curve() {
        let panel = panel("TTFT (ms)", &[("vllm".into(), SeriesColor::Target(0), &Distribution::new())]);
        assert!(panel.series[0].is_empty());
    }
}
