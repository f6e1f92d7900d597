//! The range of a panel, and the ticks of its axes.

use crate::report::chart::{Across, Axis, Panel, Scale, Series};
use crate::text::figures;

/// A limit farther away than this multiple of the largest value would flatten the curves.
const FAR: f64 = 3.0;
/// Margin between the outermost points and the edge on a logarithmic axis, as a factor.
const LOG_MARGIN: f64 = 1.12;
/// Below this ratio of its ends, a logarithmic axis looks much like a linear one.
const NARROW: f64 = 10.0;
/// The approximate number of ticks on a linear axis.
const MARKS: f64 = 5.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub low: f64,
    pub high: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    pub at: f64,
    pub label: String,
}

impl Panel {
    pub(crate) fn extent_x(&self) -> Extent {
        let values = self.series.iter().flat_map(Series::xs);
        let guides = self.guides.iter().filter_map(|guide| match guide.across {
            Across::AtX(x) => Some(x),
            Across::AtY(_) => None,
        });
        self.x.scale.extent(values.collect(), guides.collect())
    }

    pub(crate) fn extent_y(&self) -> Extent {
        let values = self.series.iter().flat_map(Series::ys);
        let guides = self.guides.iter().filter_map(|guide| match guide.across {
            Across::AtY(y) => Some(y),
            Across::AtX(_) => None,
        });
        self.y.scale.extent(values.collect(), guides.collect())
    }
}

impl Series {
    fn xs(&self) -> impl Iterator<Item = f64> {
        let points = self.marks.points().iter().map(|point| point.x);
        points.chain(self.marks.boxes().iter().map(|(x, _)| *x))
    }

    fn ys(&self) -> impl Iterator<Item = f64> {
        let points = self.marks.points().iter().flat_map(|point| {
            let (low, high) = point.interval.unwrap_or((point.y, point.y));
            [point.y, low, high]
        });
        points.chain(self.marks.boxes().iter().flat_map(|(_, stats)| [stats.p5, stats.p95]))
    }
}

impl Axis {
    /// The ticks within the extent.
    pub(crate) fn marks(&self, extent: Extent) -> Vec<Mark> {
        let mark = |at: f64, label: String| Mark { at, label };
        match &self.scale {
            Scale::Linear => {
                let step = nice_step(extent.high - extent.low);
                multiples(extent, step).into_iter().map(|at| mark(at, stepped(at, step))).collect()
            }
            Scale::Share => {
                [0.0, 0.25, 0.5, 0.75, 1.0].into_iter().map(|at| mark(at, figures::percent(at))).collect()
            }
            Scale::Log { marks } => marks.iter().map(|at| mark(*at, plain(*at))).collect(),
            Scale::Categories(names) => {
                names.iter().enumerate().map(|(index, name)| mark(index as f64, name.clone())).collect()
            }
        }
    }
}

impl Axis {
    pub(crate) fn is_share(&self) -> bool {
        self.scale == Scale::Share
    }

    /// Whether its positions are names, which need no label.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.scale, Scale::Categories(_))
    }

    /// A value as its tooltip shows it.
    pub(crate) fn spoken(&self, value: f64) -> String {
        match &self.scale {
            Scale::Share => figures::percent(value),
            Scale::Categories(names) => names.get(value as usize).cloned().unwrap_or_default(),
            Scale::Linear | Scale::Log { .. } if value.fract() == 0.0 => format!("{value}"),
            Scale::Linear | Scale::Log { .. } => figures::number(value),
        }
    }
}

impl Scale {
    fn extent(&self, values: Vec<f64>, guides: Vec<f64>) -> Extent {
        let values = values.into_iter().filter(|value| value.is_finite());
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        match self {
            // Keeps the edge from cutting a line at 100 % in half.
            Scale::Share => Extent { low: 0.0, high: 1.02 },
            Scale::Categories(names) => Extent { low: -0.5, high: names.len() as f64 - 0.5 },
            _ if low > high => Extent { low: 0.0, high: 1.0 },
            Scale::Log { .. } => Extent { low: low / LOG_MARGIN, high: high * LOG_MARGIN },
            Scale::Linear => {
                let near = guides.into_iter().filter(|guide| *guide <= high * FAR);
                let high = near.fold(high, f64::max).max(0.0);
                let low = low.min(0.0);
                let span = if high > low { high - low } else { 1.0 };
                let margin = span * 0.06;
                let below = if low < 0.0 { margin } else { 0.0 };
                Extent { low: low - below, high: low + span + margin }
            }
        }
    }

    /// The position of a value between the ends: 0 at the lower end, 1 at the upper.
    pub(crate) fn place(&self, extent: Extent, value: f64) -> f64 {
        match self {
            Scale::Log { .. } => (value / extent.low).ln() / (extent.high / extent.low).ln(),
            _ => (value - extent.low) / (extent.high - extent.low),
        }
    }
}

/// 1, 2, and 5 times the powers of ten from `low` to `high`; only the powers if that would be too many, and equal steps
/// if it would be too few.
pub(crate) fn log_marks(low: f64, high: f64) -> Vec<f64> {
    if !(low > 0.0 && high > low && high.is_finite()) {
        return Vec::new();
    }
    if high / low < NARROW {
        let step = nice_step(high - low);
        return multiples(Extent { low, high }, step);
    }
    let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let digits: &[f64] = if (high / low).log10() > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let all = decades.flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)));
    all.filter(|mark| (low / LOG_MARGIN..=high * LOG_MARGIN).contains(mark)).collect()
}

fn nice_step(span: f64) -> f64 {
    let rough = span / MARKS;
    let power = 10f64.powf(rough.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= rough).unwrap_or(10.0);
    digit * power
}

fn multiples(extent: Extent, step: f64) -> Vec<f64> {
    let first = (extent.low / step).ceil() as i64;
    let last = (extent.high / step).floor() as i64;
    (first..=last).map(|multiple| multiple as f64 * step).collect()
}

/// With as many decimals as the step.
fn stepped(value: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let shown = format!("{value:.decimals$}");
    shown.replace('-', "−")
}

fn plain(value: f64) -> String {
    if value >= 1.0 { format!("{}", (value * 100.0).round() / 100.0) } else { figures::number(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, low: f64, high: f64) -> Vec<String> {
        let marks = Axis::new("", scale).marks(Extent { low, high });
        marks.into_iter().map(|mark| mark.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers_with_minimal_decimals() {
        assert_eq!(labels(Scale::Linear, 0.0, 1060.0), ["0", "500", "1000"]);
        assert_eq!(labels(Scale::Linear, 0.0, 0.9), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(Scale::Linear, -12.0, 5.0), ["−10", "−5", "0", "5"]);
        assert_eq!(labels(Scale::Share, 0.0, 1.0), ["0 %", "25 %", "50 %", "75 %", "100 %"]);
    }

    #[test]
    fn a_logarithmic_axis_has_ticks_at_the_given_levels() {
        let marks = vec![1.0, 2.5, 32.0];
        assert_eq!(labels(Scale::Log { marks }, 0.9, 35.0), ["1", "2.5", "32"]);
        assert_eq!(log_marks(15.0, 210.0), [20.0, 50.0, 100.0, 200.0]);
        assert_eq!(log_marks(1900.0, 2700.0), [2000.0, 2200.0, 2400.0, 2600.0]);
        assert_eq!(log_marks(1.0, 1e5), [1.0, 10.0, 100.0, 1000.0, 1e4, 1e5]);
        assert!(log_marks(0.0, 5.0).is_empty());
    }

    #[test]
    fn a_distant_limit_does_not_flatten_the_curves() {
        let reach = |guide| Scale::Linear.extent(vec![40.0, 100.0], vec![guide]).high;
        assert!(reach(200.0) > 200.0);
        assert!(reach(2000.0) < 120.0);
    }

    #[test]
    fn an_axis_without_values_still_has_an_extent() {
        for scale in [Scale::Linear, Scale::Log { marks: Vec::new() }, Scale::Share] {
            let extent = scale.extent(vec![f64::NAN], Vec::new());
            assert!(extent.high > extent.low, "{extent:?}");
        }
        assert!(Scale::Linear.extent(vec![0.0], Vec::new()).high > 0.0);
    }

    #[test]
    fn doublings_are_equally_spaced_on_a_logarithmic_axis() {
        let (scale, extent) = (Scale::Log { marks: Vec::new() }, Extent { low: 1.0, high: 16.0 });
        assert_eq!([1.0, 4.0, 16.0].map(|value| scale.place(extent, value)), [0.0, 0.5, 1.0]);
    }
}
