//! A summary for people: a table, and its public figures for `{:?}`.

use std::fmt;

use crate::bench::{Percentiles, Summary};
use crate::text::columns::{Align, Columns};
use crate::text::figures;
use crate::text::printable::printable;

/// Throughput, success, a row per latency, then what casts doubt on them.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.rates();
        lines.push(String::new());
        lines.extend(self.latencies());
        let warnings = self.client_warning.iter().chain(&self.warnings);
        lines.extend(warnings.map(|warning| format!("Warning: {}", printable(warning))));
        f.write_str(&lines.join("\n"))
    }
}

impl Summary {
    fn rates(&self) -> Vec<String> {
        let rates = [
            ("output_tokens_per_s", self.output_tokens_per_s),
            ("total_tokens_per_s", self.total_tokens_per_s),
            ("requests_per_s", self.requests_per_s),
        ];
        let rates = rates.into_iter().map(|(name, rate)| (name, figures::number(rate)));
        let success = ("success_rate", figures::percent(self.success_rate));
        rates.chain([success]).map(|(name, value)| format!("{name:<20} {value}")).collect()
    }

    fn latencies(&self) -> Vec<String> {
        use Align::{Left, Right};
        let mut columns =
            Columns::new(["metric", "mean", "p50", "p95", "p99"], [Left, Right, Right, Right, Right]);
        let latencies = [
            ("ttft_ms", self.ttft_ms),
            ("tpot_ms", self.tpot_ms),
            ("itl_ms", self.itl_ms),
            ("e2e_ms", self.e2e_ms),
        ];
        for (name, latency) in latencies.into_iter().filter(|(_, latency)| latency.count > 0) {
            let Percentiles { mean, p50, p95, p99, .. } = latency;
            let [mean, p50, p95, p99] = [mean, p50, p95, p99].map(figures::number);
            columns.row([name.to_owned(), mean, p50, p95, p99]);
        }
        columns.lines()
    }
}

/// Without the histograms.
impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("engine", &self.engine)
            .field("model", &self.model)
            .field("requests", &self.requests)
            .field("window_s", &self.window_s)
            .field("input_tokens", &self.input_tokens)
            .field("output_tokens", &self.output_tokens)
            .field("output_tokens_per_s", &self.output_tokens_per_s)
            .field("total_tokens_per_s", &self.total_tokens_per_s)
            .field("requests_per_s", &self.requests_per_s)
            .field("success_rate", &self.success_rate)
            .field("ttft_ms", &self.ttft_ms)
            .field("tpot_ms", &self.tpot_ms)
            .field("itl_ms", &self.itl_ms)
            .field("e2e_ms", &self.e2e_ms)
            .field("client_warning", &self.client_warning)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}
