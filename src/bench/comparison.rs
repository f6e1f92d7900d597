//! Compares today's runs with older ones.

use std::fmt;

use crate::bench::gate::{check_all, held, judge_limit};
use crate::bench::{GateFailure, Summary};
use crate::metrics::{Family, Gate, Latency, Metric};
use crate::text::figures;
use crate::verdict::rule::MIN_SESSIONS_FOR_REGRESSION;
use crate::verdict::stats::{self, Difference};
use crate::verdict::{Evidence, Old, judge};

/// Compares today's runs with older ones, metric by metric. Each side is one [`Summary`] or several, all of the same
/// load.
///
/// The two sides were measured at different times, so either the engine or the machine may cause a difference. **One
/// run against one** has no interval. **At least two old and three new runs** have a 99.8 % interval, which assumes
/// that days differ as much as runs do (see [`MetricChange::interval`]). Only a proof, which alternates old and new on
/// one machine, separates the engine from the machine; the perf suite and `tollgate ab` run one.
pub fn compare(old: &(impl AsRef<[Summary]> + ?Sized), new: &(impl AsRef<[Summary]> + ?Sized)) -> Comparison {
    let (old, new) = (old.as_ref().to_vec(), new.as_ref().to_vec());
    let changes = compared_metrics().filter_map(|metric| MetricChange::of(metric, &old, &new)).collect();
    Comparison { changes, old, new }
}

/// How each metric changed. `{}` prints it as a table, below a warning if the runs differ in load or prompts.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// One per metric that every run of both sides measured, with a value other than 0. The success rate takes only
    /// absolute limits and is not included.
    pub changes: Vec<MetricChange>,
    old: Vec<Summary>,
    new: Vec<Summary>,
}

/// How one metric changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MetricChange {
    /// The metric's name in gates, such as `ttft_ms_p95`.
    pub metric: String,
    /// The geometric mean over the older runs, in the metric's unit.
    pub old: f64,
    /// The geometric mean over the new runs, in the metric's unit.
    pub new: f64,
    /// (new − old) / old: −0.07 is 7 % less.
    pub relative: f64,
    /// The 99.8 % interval of `relative`, low end first; `None` with fewer than two old or three new runs.
    ///
    /// Student's t interval on the logarithms with pooled variance s²·(1/K + 1/n + 2) for K old and n new runs. It
    /// assumes as much scatter between days as within them (Kalibera and Jones 2013).
    pub interval: Option<(f64, f64)>,
}

impl Comparison {
    /// The change of a metric, by its name in gates; `None` if it is not in [`changes`](Comparison::changes).
    pub fn change(&self, metric: &str) -> Option<&MetricChange> {
        self.changes.iter().find(|change| change.metric == metric)
    }

    /// Checks tolerances, such as `"output_tokens_per_s within 5%"`, by the rule for stored baselines: with fewer than
    /// three new runs a gate fails as `suspected` when the metric is worse by half the tolerance, or by less where old
    /// runs scatter; with three or more as `regressed` or `suspected` when it is worse by all of it, depending on whether
    /// the interval proves it. Absolute limits are checked against each new run.
    ///
    /// # Errors
    /// Lists every gate that fails and why. A gate also fails if it can't be judged: the runs have different loads, the
    /// load client was not accurate enough for the tolerance, or answers did not have the requested length.
    pub fn check<G: AsRef<str>>(&self, gates: impl IntoIterator<Item = G>) -> Result<(), GateFailure> {
        check_all(gates, |gate| match gate.tolerance {
            Some(_) => self.judge_tolerance(gate),
            None => self.new.iter().try_for_each(|summary| judge_limit(gate, summary)),
        })
    }

    fn judge_tolerance(&self, gate: &Gate) -> Result<(), String> {
        if let Some(difference) = self.difference() {
            return Err(format!("can't be compared: {difference}"));
        }
        let name = gate.metric.to_string();
        let change = self.change(&name).ok_or("was not measured in every run, or was 0")?;
        let new: Vec<Evidence> = self.new.iter().map(Summary::evidence).collect();
        let outcome = judge(gate, Old::Stored(&values(gate.metric, &self.old)), &new);
        held(outcome).map_err(|why| format!("{change}: {why}"))
    }

    /// How load or prompts of the first run differ from those of another.
    fn difference(&self) -> Option<String> {
        let mut runs = self.old.iter().chain(&self.new).map(|run| &run.measured);
        let first = runs.next()?;
        runs.find_map(|run| first.difference(run))
    }
}

impl MetricChange {
    fn of(metric: Metric, old: &[Summary], new: &[Summary]) -> Option<MetricChange> {
        let (olds, news) = (values(metric, old), values(metric, new));
        if olds.is_empty() || news.is_empty() || olds.len() < old.len() || news.len() < new.len() {
            return None;
        }
        let slowness = |values: &[f64]| -> Option<Vec<f64>> {
            values.iter().map(|value| stats::slowness(metric, *value)).collect()
        };
        let (old_slowness, new_slowness) = (slowness(&olds)?, slowness(&news)?);
        let relative = |difference| stats::relative_change(metric, difference);
        let difference = stats::mean(&new_slowness) - stats::mean(&old_slowness);
        let enough = new.len() >= MIN_SESSIONS_FOR_REGRESSION;
        let interval = Difference::to_stored(&old_slowness, &new_slowness).filter(|_| enough);
        Some(MetricChange {
            metric: metric.to_string(),
            old: geometric_mean(&olds),
            new: geometric_mean(&news),
            relative: relative(difference),
            interval: interval.map(|found| {
                let (a, b) = (relative(found.low), relative(found.high));
                (a.min(b), a.max(b))
            }),
        })
    }
}

/// `312 → 354 (+13.5 %)`.
impl fmt::Display for MetricChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (figures::number(self.old), figures::number(self.new));
        write!(f, "{old} → {new} ({})", figures::signed_percent(self.relative))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(difference) = self.difference() {
            writeln!(f, "Warning: {difference}. The changes below may come from that.")?;
        }
        let width = self.changes.iter().map(|change| change.metric.len()).max().unwrap_or(0);
        for change in &self.changes {
            writeln!(f, "{:width$}  {change}", change.metric)?;
        }
        Ok(())
    }
}

/// The engine's metrics, except success, which takes only absolute limits, and except the client's own metrics.
fn compared_metrics() -> impl Iterator<Item = Metric> {
    Metric::all().filter(|metric| {
        !matches!(metric, Metric::Latency(Latency::QueueLag, _)) && metric.family() != Family::Success
    })
}

fn values(metric: Metric, runs: &[Summary]) -> Vec<f64> {
    runs.iter().filter_map(|run| run.value(metric)).collect()
}

fn geometric_mean(values: &[f64]) -> f64 {
    stats::mean(&values.iter().map(|value| value.ln()).collect::<Vec<_>>()).exp()
}
