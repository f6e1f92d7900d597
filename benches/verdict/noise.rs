//! The scatter of measurements of an unchanged engine.
//!
//! Everything is in slowness, `ln` of a latency or `−ln` of a throughput, where noise adds up. Noise between sessions
//! is drawn for every simulated session. Noise within a session comes from a pool of sessions in which every request
//! was simulated and reduced by the crate's own [`Summary`] and `Distribution`.

use rand::Rng;
use rand_distr::{Distribution as _, Pareto, StandardNormal};
use rand_pcg::Pcg64;
use serde::Deserialize;

use tollgate::internals::Metric;
use tollgate::internals::stats;
use tollgate::internals::{RequestCounts, Summary};

use crate::suite::{METRICS, SCENARIOS, TTFT};

/// Rounds of a session; only the naive gates look at them one by one.
pub const ROUNDS: usize = 10;

/// One value per gated metric, in the order of [`METRICS`].
pub type Slowness = [f64; METRICS];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseModel {
    /// The level of a typical machine.
    pub typical_level: f64,
    pub session: SessionNoise,
    pub request: RequestNoise,
}

/// Between sessions, in multiples of the level: the standard deviation of ln throughput over restarts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionNoise {
    /// How much more TTFT reacts than throughput.
    ttft_factor: f64,
    /// The share of the variance between restarts that all scenarios of a session have in common.
    engine_share: f64,
    /// The share that both metrics of a scenario have in common beyond that.
    scenario_share: f64,
    /// Standard deviation of a day's effect on all its sessions and scenarios alike.
    day: f64,
    /// How much slower each session of a campaign is than the one before it.
    drift_per_session: f64,
    slow_interval_chance: f64,
    slow_interval_levels: f64,
    /// Maximum number of consecutive scenarios that one slow interval affects.
    slow_interval_scenarios: usize,
}

/// Within a session, request by request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestNoise {
    users: u32,
    output_tokens: u32,
    ttft_ms_p50: f64,
    ttft_ln_sd: f64,
    /// Autocorrelation from one request to the next: a long queue stays long for a while.
    ttft_autocorrelation: f64,
    /// The share of requests whose TTFT is multiplied by a Pareto variable.
    tail_share: f64,
    tail_exponent: f64,
    tpot_ms_p50: f64,
    tpot_ln_sd: f64,
    tpot_autocorrelation: f64,
    slow_round_chance: f64,
    slow_round_levels: f64,
}

impl NoiseModel {
    pub fn load() -> NoiseModel {
        toml::from_str(include_str!("../noise/model.toml")).expect("benches/noise/model.toml is valid")
    }
}

/// A session with only the noise of its requests, and none between sessions.
#[derive(Clone)]
pub struct PoolSession {
    pub whole: Slowness,
    pub rounds: [Slowness; ROUNDS],
}

impl RequestNoise {
    /// `requests` of a session in [`ROUNDS`] rounds.
    pub fn session(
        &self,
        requests: u32,
        level: f64,
        metrics: &[Metric; METRICS],
        rng: &mut Pcg64,
    ) -> PoolSession {
        let mut queue = Autoregression::new(self.ttft_autocorrelation, rng);
        let mut decoding = Autoregression::new(self.tpot_autocorrelation, rng);
        let per_round = requests / ROUNDS as u32;
        let rounds: Vec<Summary> =
            (0..ROUNDS).map(|_| self.round(per_round, level, &mut queue, &mut decoding, rng)).collect();
        let slowness = |summary: &Summary| {
            metrics.map(|metric| {
                let value = summary.value(metric).expect("every round has every metric");
                stats::slowness(metric, value).expect("every value is positive")
            })
        };
        PoolSession {
            whole: slowness(&Summary::merge(&rounds)),
            rounds: std::array::from_fn(|i| slowness(&rounds[i])),
        }
    }

    fn round(
        &self,
        requests: u32,
        level: f64,
        queue: &mut Autoregression,
        decoding: &mut Autoregression,
        rng: &mut Pcg64,
    ) -> Summary {
        let slow = if rng.random_bool(self.slow_round_chance) { self.slow_round_levels * level } else { 0.0 };
        let tail = Pareto::new(1.0, self.tail_exponent).expect("the exponent is positive");
        let mut summary = Summary {
            requests: RequestCounts {
                sent: u64::from(requests),
                succeeded: u64::from(requests),
                ended_by_length: u64::from(requests),
                ..RequestCounts::default()
            },
            output_tokens: u64::from(requests) * u64::from(self.output_tokens),
            ..Summary::default()
        };
        let mut busy_ms = 0.0;
        for _ in 0..requests {
            let mut ttft_ms = self.ttft_ms_p50 * (self.ttft_ln_sd * queue.next(rng) + slow).exp();
            if rng.random_bool(self.tail_share) {
                ttft_ms *= tail.sample(rng);
            }
            let tpot_ms = self.tpot_ms_p50 * (self.tpot_ln_sd * decoding.next(rng) + slow).exp();
            summary.ttft_ms.record_ms(ttft_ms);
            busy_ms += ttft_ms + tpot_ms * f64::from(self.output_tokens - 1);
        }
        summary.window_s = busy_ms / 1e3 / f64::from(self.users);
        summary
    }
}

/// First-order autoregression with unit variance.
struct Autoregression {
    coefficient: f64,
    state: f64,
}

impl Autoregression {
    fn new(coefficient: f64, rng: &mut Pcg64) -> Autoregression {
        Autoregression { coefficient, state: normal(rng) }
    }

    fn next(&mut self, rng: &mut Pcg64) -> f64 {
        let innovation = (1.0 - self.coefficient * self.coefficient).sqrt();
        self.state = self.coefficient * self.state + innovation * normal(rng);
        self.state
    }
}

fn normal(rng: &mut Pcg64) -> f64 {
    StandardNormal.sample(rng)
}

/// A machine over one day: every session on it shares the day's effect, and drifts.
pub struct Day<'a> {
    noise: &'a SessionNoise,
    level: f64,
    pool: &'a [PoolSession],
    effect: f64,
    sessions: u32,
}

/// The values of a session for one scenario.
#[derive(Clone, Copy)]
pub struct Measured<'a> {
    /// The noise between sessions, to be added to that of the requests.
    pub offset: Slowness,
    pub requests: &'a PoolSession,
}

impl Measured<'_> {
    pub fn whole(&self) -> Slowness {
        std::array::from_fn(|m| self.offset[m] + self.requests.whole[m])
    }

    pub fn rounds(&self, metric: usize) -> [f64; ROUNDS] {
        self.requests.rounds.map(|round| self.offset[metric] + round[metric])
    }
}

impl<'a> Day<'a> {
    pub fn begin(noise: &'a SessionNoise, level: f64, pool: &'a [PoolSession], rng: &mut Pcg64) -> Day<'a> {
        Day { noise, level, pool, effect: noise.day * normal(rng), sessions: 0 }
    }

    /// One start of an engine, and every scenario on it.
    pub fn session(&mut self, rng: &mut Pcg64) -> [Measured<'a>; SCENARIOS] {
        let noise = self.noise;
        let drift = noise.drift_per_session * f64::from(self.sessions);
        self.sessions += 1;
        let engine = self.effect + drift + noise.engine_share.sqrt() * normal(rng);
        let slow = self.slow_interval(rng);
        let own = (1.0 - noise.engine_share - noise.scenario_share).max(0.0).sqrt();
        std::array::from_fn(|scenario| {
            let shared = engine + slow[scenario] + noise.scenario_share.sqrt() * normal(rng);
            let offset = std::array::from_fn(|metric| {
                let factor = if metric == TTFT { noise.ttft_factor } else { 1.0 };
                self.level * factor * (shared + own * normal(rng))
            });
            Measured { offset, requests: &self.pool[rng.random_range(0..self.pool.len())] }
        })
    }

    fn slow_interval(&self, rng: &mut Pcg64) -> [f64; SCENARIOS] {
        let mut slow = [0.0; SCENARIOS];
        if rng.random_bool(self.noise.slow_interval_chance) {
            let first = rng.random_range(0..SCENARIOS);
            let reached = rng.random_range(1..=self.noise.slow_interval_scenarios);
            slow.iter_mut().skip(first).take(reached).for_each(|s| *s = self.noise.slow_interval_levels);
        }
        slow
    }
}
