//! Gates as they are often built: one session of today, with its rounds treated as replicates.
//!
//! Each uses the rule's own tolerance and error level, so that they differ only in what counts as a replicate.

use rand::Rng;
use rand_pcg::Pcg64;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use tollgate::internals::stats::{self, ALPHA, mean};

use crate::noise::{Day, ROUNDS};
use crate::suite::{METRICS, SCENARIOS, STORED_SESSIONS, Setup};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naive {
    FixedTolerance,
    Welch,
    MannWhitney,
    Bootstrap,
}

/// Which gates are red according to a naive gate.
pub type Red = [[bool; METRICS]; SCENARIOS];

const RESAMPLES: usize = 2000;

impl Naive {
    pub const ALL: [Naive; 4] = [Naive::FixedTolerance, Naive::Welch, Naive::MannWhitney, Naive::Bootstrap];

    pub fn name(self) -> &'static str {
        match self {
            Naive::FixedTolerance => "fixed_tolerance",
            Naive::Welch => "welch_over_rounds",
            Naive::MannWhitney => "mann_whitney_over_rounds",
            Naive::Bootstrap => "bootstrap_over_rounds",
        }
    }

    fn significant(self, old: &[f64; ROUNDS], new: &[f64; ROUNDS], rng: &mut Pcg64) -> bool {
        match self {
            Naive::FixedTolerance => true,
            Naive::Welch => welch(old, new),
            Naive::MannWhitney => mann_whitney(old, new),
            Naive::Bootstrap => bootstrap(old, new, rng),
        }
    }
}

/// One suite, judged by every naive gate on the same figures.
pub fn run(setup: &Setup, rng: &mut Pcg64) -> [Red; Naive::ALL.len()] {
    let mut yesterday = Day::begin(&setup.noise.session, setup.level, setup.pool, rng);
    let stored: Vec<_> = (0..STORED_SESSIONS).map(|_| yesterday.session(rng)).collect();
    let mut today = Day::begin(&setup.noise.session, setup.level, setup.pool, rng);
    let session = setup.session_of_new(&mut today, rng);
    let taus = setup.gates().map(|gate| stats::tau(gate.metric, gate.tolerance.expect("every gate has one")));
    let mut red = [[[false; METRICS]; SCENARIOS]; Naive::ALL.len()];
    for scenario in 0..SCENARIOS {
        for metric in 0..METRICS {
            let tau = taus[metric];
            let old: Vec<f64> = stored.iter().map(|session| session[scenario].whole()[metric]).collect();
            let fixed = session[scenario].whole()[metric] - mean(&old) > tau;
            let old = stored[STORED_SESSIONS - 1][scenario].rounds(metric);
            let new = session[scenario].rounds(metric);
            let relevant = mean(&new) - mean(&old) > tau;
            for (naive, red) in Naive::ALL.into_iter().zip(&mut red) {
                red[scenario][metric] = if naive == Naive::FixedTolerance { fixed } else { relevant }
                    && naive.significant(&old, &new, rng);
            }
        }
    }
    red
}

/// Welch's t-test with Satterthwaite's degrees of freedom.
fn welch(old: &[f64], new: &[f64]) -> bool {
    let (a, b) = (variance_of_mean(old), variance_of_mean(new));
    let freedom = |share: f64, n: usize| share * share / (n as f64 - 1.0);
    let degrees = (a + b).powi(2) / (freedom(a, old.len()) + freedom(b, new.len()));
    let t = (mean(new) - mean(old)) / (a + b).sqrt();
    t > StudentsT::new(0.0, 1.0, degrees).expect("variances are positive").inverse_cdf(1.0 - ALPHA)
}

fn variance_of_mean(values: &[f64]) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values));
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n
}

/// Mann and Whitney's U by its normal approximation.
fn mann_whitney(old: &[f64], new: &[f64]) -> bool {
    let wins = new.iter().flat_map(|n| old.iter().map(move |o| n > o)).filter(|won| *won).count() as f64;
    let (n, m) = (new.len() as f64, old.len() as f64);
    let z = (wins - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt();
    z > Normal::standard().inverse_cdf(1.0 - ALPHA)
}

/// Efron's percentile interval of the difference of means.
fn bootstrap(old: &[f64], new: &[f64], rng: &mut Pcg64) -> bool {
    let mut resampled_mean = |values: &[f64]| {
        (0..values.len()).map(|_| values[rng.random_range(0..values.len())]).sum::<f64>()
            / values.len() as f64
    };
    let below = (0..RESAMPLES).filter(|_| resampled_mean(new) <= resampled_mean(old)).count();
    below as f64 <= ALPHA * RESAMPLES as f64
}
