//! An engine's Prometheus counters.

use crate::engine::exposition::{NotExposition, Sample, parse};
use crate::metrics::server_side::{Mean, ServerCounts, ServerSide, ServerTimes};

/// Where an engine exposes its counters, and their names.
#[derive(Clone, Copy, Debug)]
pub struct CounterNames {
    pub path: &'static str,
    /// The label that tells several models of one server apart.
    pub model_label: Option<&'static str>,
    /// Counters to add up: some engines split the input.
    pub input_tokens: &'static [Aliases],
    pub output_tokens: Aliases,
    pub cached_input_tokens: Aliases,
    pub preemptions: Aliases,
    /// Histograms in seconds, without the `_sum` and `_count` suffixes.
    pub times: &'static [(PhaseOf, Aliases)],
}

/// The names that one metric has had, newest first; the first one found is used. A metric whose unit changed together
/// with its name is a different one.
pub(crate) type Aliases = &'static [&'static str];

pub(crate) type PhaseOf = fn(&mut ServerTimes) -> &mut Mean;

const MS_PER_S: f64 = 1000.0;

impl CounterNames {
    /// Totals since the engine's start.
    pub fn read(&self, text: &str, model: Option<&str>) -> Result<ServerSide, NotExposition> {
        let mut samples = parse(text)?;
        // If no series has this model, the server knows the model by another name.
        let is_of_model = |sample: &Sample| self.model_label.and_then(|label| sample.label(label)) == model;
        if model.is_some() && samples.iter().any(is_of_model) {
            let label = self.model_label.unwrap_or_default();
            samples.retain(|sample| sample.label(label).is_none() || is_of_model(sample));
        }
        let samples = Samples(samples);
        let input: Option<f64> = self.input_tokens.iter().map(|names| samples.first(names, "")).sum();
        let mut times = ServerTimes::default();
        for (phase, names) in self.times {
            let totals = samples.first(names, "_count").zip(samples.first(names, "_sum"));
            if let Some((count, total_s)) = totals {
                *phase(&mut times) = Mean::of_total(count as u64, total_s * MS_PER_S);
            }
        }
        let count = |names: Aliases| samples.first(names, "").map(|count| count as u64);
        let counts = ServerCounts {
            input_tokens: input.filter(|_| !self.input_tokens.is_empty()).map(|count| count as u64),
            output_tokens: count(self.output_tokens),
            cached_input_tokens: count(self.cached_input_tokens),
            preemptions: count(self.preemptions),
        };
        Ok(ServerSide { counts, times })
    }
}

struct Samples<'t>(Vec<Sample<'t>>);

impl Samples<'_> {
    /// The sum over all series of the first name that has any.
    fn first(&self, names: Aliases, suffix: &str) -> Option<f64> {
        names.iter().find_map(|name| {
            let is_it = |sample: &&Sample| sample.name.strip_suffix(suffix) == Some(name);
            let mut values = self.0.iter().filter(is_it).map(|sample| sample.value).peekable();
            values.peek().is_some().then(|| values.sum())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTERS: CounterNames = CounterNames {
        path: "/metrics",
        model_label: Some("model"),
        input_tokens: &[&["fresh_total"], &["cached_total"]],
        output_tokens: &["out_total", "old_out_total"],
        cached_input_tokens: &["cached_total"],
        preemptions: &[],
        times: &[(|times| &mut times.queue_ms, &["queue_seconds", "wait_seconds"])],
    };

    fn read(text: &str, model: &str) -> ServerSide {
        COUNTERS.read(text, Some(model)).unwrap()
    }

    #[test]
    fn a_renamed_metric_is_found_by_its_old_name() {
        assert_eq!(read("old_out_total 5", "m").counts.output_tokens, Some(5));
        assert_eq!(read("old_out_total 5\nout_total 7", "m").counts.output_tokens, Some(7));
        let times = read("wait_seconds_sum 3\nwait_seconds_count 2", "m").times;
        assert_eq!(times.queue_ms, Mean { count: 2, mean: 1500.0 });
    }

    #[test]
    fn parts_add_up_only_if_all_are_present() {
        assert_eq!(read("fresh_total 5\ncached_total 2", "m").counts.input_tokens, Some(7));
        assert_eq!(read("fresh_total 5", "m").counts.input_tokens, None);
    }

    #[test]
    fn only_one_models_series_are_added_up() {
        let text = "out_total{engine=\"0\",model=\"m\"} 1\nout_total{engine=\"1\",model=\"m\"} 2\n\
                    out_total{engine=\"0\",model=\"n\"} 4";
        assert_eq!(read(text, "m").counts.output_tokens, Some(3));
        assert_eq!(read(text, "alias").counts.output_tokens, Some(7));
    }

    #[test]
    fn a_series_without_the_label_counts_for_every_model() {
        let text = "out_total 1\nother{model=\"m\"} 2";
        assert_eq!(read(text, "m").counts.output_tokens, Some(1));
    }

    #[test]
    fn a_missing_counter_is_unknown() {
        assert_eq!(read("", "m"), ServerSide::default());
    }
}
