//! Renders sweeps and comparisons as tables for a terminal.

use crate::metrics::Metric;
use crate::metrics::summary::RequestCounts;
use crate::results::comparison::{Advice, ClassAdvice, ComparedMetric, Comparison, TargetAtLevel};
use crate::results::curve;
use crate::results::sweep::{Axis, Knee, Level, Sweep, SweptTarget};
use crate::text::columns::{Align, Columns};
use crate::text::figures;
use crate::text::printable::one_line;

/// The metrics shown per level, with their column headings.
const FIGURES: [(&str, &str); 7] = [
    ("output_tokens_per_s", "tokens/s"),
    ("ttft_ms_p50", "ttft_ms_p50"),
    ("ttft_ms_p95", "ttft_ms_p95"),
    ("tpot_ms_p50", "tpot_ms_p50"),
    ("tpot_ms_p95", "tpot_ms_p95"),
    ("e2e_ms_p95", "e2e_ms_p95"),
    ("success_rate", "succeeded"),
];

/// For each target, a row per level, then where it slows down.
pub(crate) fn sweep(sweep: &Sweep) -> String {
    let mut blocks: Vec<String> = sweep.targets.iter().map(|target| swept_target(target, sweep)).collect();
    blocks.extend(lines("Warning", &sweep.warnings));
    blocks.join("\n\n")
}

/// Caveats, the better target at each level, where the curves cross, and the recommendation.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let mut blocks = Vec::new();
    blocks.extend(lines("Note", &comparison.caveats));
    blocks.push(metrics(comparison));
    blocks.push(targets_at_levels(comparison));
    blocks.extend(crossings(comparison));
    blocks.push(recommendation(comparison));
    blocks.extend(lines("Warning", &comparison.warnings));
    blocks.join("\n\n")
}

fn swept_target(target: &SweptTarget, sweep: &Sweep) -> String {
    let mut out = vec![title(target)];
    if !target.levels.is_empty() {
        out.extend(levels(target, sweep.axis));
    }
    if curve::can_have_knee(&curve::throughput(&target.levels)) {
        out.push(slows_down(target.knee, sweep.axis));
    }
    if !sweep.limits.is_empty() && !target.levels.is_empty() {
        let limits = one_line(&sweep.limits.to_string());
        out.push(match target.meets_limits_up_to {
            Some(at) => format!("It meets {limits} up to {}.", sweep.axis.level(at)),
            None => format!("It does not meet {limits} at its lowest level."),
        });
    }
    out.extend(target.trouble.iter().map(|trouble| format!("Incomplete: {}", one_line(trouble))));
    out.extend(lines("Warning", &target.warnings));
    out.join("\n")
}

fn title(target: &SweptTarget) -> String {
    let name = one_line(&target.name);
    match &target.environment {
        Some(environment) => format!(
            "{name}: {}{} with {} on {}",
            one_line(&environment.engine),
            environment.over(),
            one_line(&environment.model),
            one_line(&environment.machine)
        ),
        None => name,
    }
}

fn levels(target: &SweptTarget, axis: Axis) -> Vec<String> {
    let names = FIGURES.map(|(_, name)| name);
    let [a, b, c, d, e, f, g] = names;
    let mut columns = Columns::new([axis.name(), a, b, c, d, e, f, g, "within limits"], [Align::Right; 9]);
    for level in &target.levels {
        let [a, b, c, d, e, f, g] = FIGURES.map(|(metric, _)| figure(level, metric));
        let within = level.goodput.map_or(String::new(), |goodput| figures::percent(goodput.share));
        columns.row([level.at.to_string(), a, b, c, d, e, f, g, within]);
    }
    columns.lines()
}

fn figure(level: &Level, name: &str) -> String {
    let metric: Metric = name.parse().expect("it is the name of a metric");
    level.summary.value(metric).map_or("–".into(), |value| metric.format(value))
}

fn slows_down(knee: Option<Knee>, axis: Axis) -> String {
    let Some(Knee { after, by, gain }) = knee else {
        return "It does not slow down within these levels.".into();
    };
    let (one, first) = match axis {
        Axis::Users => ("user", "the first user's"),
        Axis::RequestsPerS => ("request/s", "the first one's"),
    };
    format!(
        "It starts to slow down beyond {}: from {after} to {}, each additional {one} adds {} of {first} throughput.",
        axis.level(after),
        axis.level(by),
        figures::percent(gain.max(0.0))
    )
}

fn metrics(comparison: &Comparison) -> String {
    let mut columns = Columns::new(
        [comparison.axis.name(), "metric", "better", "best", "other", "times worse", "99.8 % interval"],
        [Align::Right, Align::Left, Align::Left, Align::Left, Align::Left, Align::Right, Align::Left],
    );
    for level in &comparison.levels {
        for compared in &level.metrics {
            for row in rows(level.at, compared) {
                columns.row(row);
            }
        }
    }
    columns.lines().join("\n")
}

/// A row for each target that is not the best.
fn rows(at: f64, compared: &ComparedMetric) -> Vec<[String; 7]> {
    let Some((best, others)) = compared.standings.split_first() else { return Vec::new() };
    let named = |target: &str, value: f64| format!("{} {}", one_line(target), compared.metric.format(value));
    let row = |other: &crate::results::comparison::Standing| {
        let better = if other.tied_with_best { "tie".into() } else { one_line(&best.target) };
        let interval = other.interval.map_or(String::new(), |(low, high)| {
            format!("{} … {}", figures::number(low), figures::number(high))
        });
        [
            at.to_string(),
            compared.metric.to_string(),
            better,
            named(&best.target, best.value),
            named(&other.target, other.value),
            figures::number(other.times_worse),
            interval,
        ]
    };
    others.iter().map(row).collect()
}

fn targets_at_levels(comparison: &Comparison) -> String {
    let mut columns = Columns::new(
        [comparison.axis.name(), "target", "share of ideal", "succeeded", "failures", "within limits"],
        [Align::Right, Align::Left, Align::Right, Align::Right, Align::Left, Align::Right],
    );
    for level in &comparison.levels {
        for TargetAtLevel { target, requests, share_of_ideal, goodput } in &level.targets {
            let share = |share: Option<f64>| share.map_or(String::new(), figures::percent);
            columns.row([
                level.at.to_string(),
                one_line(target),
                share(*share_of_ideal),
                format!("{}/{}", requests.succeeded, requests.sent),
                failures(requests),
                share(goodput.map(|goodput| goodput.share)),
            ]);
        }
    }
    columns.lines().join("\n")
}

/// `2 timeout, 1 connect`.
pub(super) fn failures(requests: &RequestCounts) -> String {
    let classes: Vec<String> =
        requests.failed.iter().map(|(class, count)| format!("{count} {}", class.name())).collect();
    classes.join(", ")
}

fn crossings(comparison: &Comparison) -> Option<String> {
    let axis = comparison.axis.name();
    let lines: Vec<String> = comparison
        .crossings
        .iter()
        .map(|crossing| {
            format!(
                "{}: {} is better up to {} {axis}, {} from {}; the curves cross at about {}.",
                crossing.metric,
                one_line(&crossing.before),
                crossing.up_to,
                one_line(&crossing.after),
                crossing.from,
                figures::number(crossing.at)
            )
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn recommendation(comparison: &Comparison) -> String {
    let recommendation = &comparison.recommendation;
    let weights: Vec<String> = recommendation
        .weights
        .iter()
        .filter(|(criterion, _)| !recommendation.left_out.contains_key(criterion))
        .map(|(criterion, weight)| format!("{} {weight}", criterion.name()))
        .collect();
    let mut out = vec![format!("Weights: {}.", weights.join(", "))];
    let left_out = recommendation.left_out.iter();
    out.extend(left_out.map(|(criterion, why)| format!("Left out {}: {}.", criterion.name(), one_line(why))));
    out.extend(recommendation.classes.iter().flat_map(advice));
    out.join("\n")
}

fn advice(class: &ClassAdvice) -> Vec<String> {
    let verdict = match &class.advice {
        Advice::Take(name) => format!("use {}", one_line(name)),
        Advice::TooCloseToCall(names) => {
            let names: Vec<String> = names.iter().map(|name| one_line(name)).collect();
            format!("too close to call between {}", names.join(" and "))
        }
        Advice::NotMeasured => "not measured".into(),
    };
    let mut totals: Vec<(&String, &f64)> = class.totals.iter().collect();
    totals.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let totals: Vec<String> =
        totals.into_iter().map(|(name, total)| format!("{} {total:.0}", one_line(name))).collect();
    let totals =
        if totals.is_empty() { String::new() } else { format!(" (score out of 100: {})", totals.join(", ")) };
    let mut out = vec![format!("For {}: {verdict}{totals}.", class.traffic)];
    out.extend(class.reasons.iter().map(|reason| format!("  {}", one_line(reason))));
    out
}

/// One line each, or `None` without texts.
fn lines(label: &str, texts: &[String]) -> Option<String> {
    let lines: Vec<String> = texts.iter().map(|text| format!("{label}: {}", one_line(text))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use crate::compare::example as comparisons;
    use crate::results::sweep::example;

    #[test]
    fn a_sweep_shows_every_level_and_where_it_slows_down() {
        insta::assert_snapshot!(super::sweep(&example::crossing()));
    }

    #[test]
    fn an_engine_without_answers_has_no_slowdown_line() {
        let mut sweep = example::crossing();
        let levels = sweep.targets.iter_mut().flat_map(|target| &mut target.levels);
        levels.for_each(|level| level.summary.output_tokens = 0);
        sweep.targets[0].knee = None;
        assert!(!super::sweep(&sweep).contains("slow down"));
    }

    #[test]
    fn a_comparison_shows_who_is_better_where_and_what_to_use() {
        insta::assert_snapshot!(super::comparison(&comparisons::crossing()));
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        for text in [super::sweep(&example::nasty()), super::comparison(&comparisons::nasty())] {
            assert!(!text.contains(['\x1b', '\0', '\u{202e}']), "{text:?}");
        }
    }
}
