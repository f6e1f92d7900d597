//! What gates can detect: simulates the decision rule on figures that vary as the stored sessions do.
//!
//! A simulated session's value is the sum of a day effect, the same for all sessions of that day, and its own start's
//! effect. Both are normal; a start has the standard deviation s of the stored sessions, a day √[`DAY_VARIANCE`] times
//! that. The simulation takes s as known, although K sessions estimate it only roughly: four sessions to within a
//! factor of 0.6 to 3.7 (95 %).

use rand::SeedableRng;
use rand_distr::{Distribution as _, StandardNormal};
use rand_pcg::Pcg64;

use crate::metrics::Metric;
use crate::verdict::stats::{self, DAY_VARIANCE, Difference};
use crate::verdict::{Side, Verdict, rule};

/// What happens after the screen doubts a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Old and new alternate: `starts` of each side before the first decision, at most `most` before the last.
    Proof { starts: u32, most: u32 },
    /// The old version can't run: this many sessions of today in total, against the stored ones.
    Stored { sessions: u32 },
}

/// A gate, as its stored sessions describe it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StoredGate {
    metric: Metric,
    tau: f64,
    /// Between sessions, on the slowness scale.
    deviation: f64,
    sessions: u32,
}

/// A scenario's gates, and what happens after the screen doubts one of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredScenario {
    pub gates: Vec<StoredGate>,
    pub check: Check,
}

/// The outcomes of simulated runs of a suite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Forecast {
    pub runs: u64,
    /// Runs in which one session did not clear every scenario.
    pub doubted: u64,
    pub red: u64,
    /// Sessions per scenario on average, including the first one and those of both sides.
    pub sessions: Vec<f64>,
}

/// The change that a gate should detect, as a multiple of its tolerance. If it can't, the gate is underpowered.
pub(crate) const UNDERPOWERED_BEYOND: f64 = 2.0;
/// The probability with which it should detect it.
pub(crate) const POWER: f64 = 0.9;
/// Simulated runs per power estimate: enough to know 90 % to within 3 %.
const RUNS: u64 = 400;
/// Simulated runs per forecast: false alarms of a suite are about one in a thousand.
const RUNS_OF_FORECAST: u64 = 4000;
const STEPS_OF_SEARCH: u32 = 12;
/// In slowness: 95 % of the throughput lost. A gate that misses this misses everything.
const LARGEST_CHANGE: f64 = 3.0;
const LARGEST_TOLERANCE: f64 = 0.5;
const MOST_TIMES_THE_REQUESTS: f64 = 100.0;
/// Sessions of each side, or of today.
const SESSIONS_TO_TRY: [u32; 8] = [4, 6, 8, 12, 16, 24, 32, 48];

impl StoredGate {
    /// `None` if the values show no variation: fewer than two, or without a logarithm.
    pub(crate) fn of(metric: Metric, tolerance: f64, values: &[f64]) -> Option<StoredGate> {
        let scaled: Option<Vec<f64>> = values.iter().map(|value| stats::slowness(metric, *value)).collect();
        let deviation = stats::deviation(&scaled?)?;
        Some(StoredGate {
            metric,
            tau: stats::tau(metric, tolerance),
            deviation,
            sessions: values.len() as u32,
        })
    }

    /// The standard deviation between sessions, relative to the value.
    pub(crate) fn deviation(&self) -> f64 {
        self.deviation
    }

    /// The smallest relative loss that turns red with a probability of 90 %; `None` if no loss does.
    pub(crate) fn detectable(&self, check: Check) -> Option<f64> {
        let change = least(0.0, LARGEST_CHANGE, |change| self.sees(change, check))?;
        Some(stats::relative_change(self.metric, change))
    }

    /// Whether a loss of twice the tolerance would often go undetected.
    pub(crate) fn is_underpowered(&self, check: Check) -> bool {
        !self.sees(UNDERPOWERED_BEYOND * self.tau, check)
    }

    /// The starts of each side, or the sessions of the baseline and of today, with which the gate has enough power.
    pub(crate) fn sessions_needed(&self, check: Check) -> Option<u32> {
        let with = |sessions| match check {
            Check::Proof { .. } => (*self, Check::Proof { starts: sessions, most: sessions }),
            Check::Stored { .. } => (StoredGate { sessions, ..*self }, Check::Stored { sessions }),
        };
        SESSIONS_TO_TRY.into_iter().find(|sessions| {
            let (gate, check) = with(*sessions);
            !gate.is_underpowered(check)
        })
    }

    /// The factor by which the sessions' variance must shrink for the gate to have enough power. That is the factor of
    /// requests per session, if all of the variation comes from requests. `None` beyond a hundred.
    pub(crate) fn requests_needed(&self, check: Check) -> Option<f64> {
        let calmer = |requests: f64| StoredGate { deviation: self.deviation / requests.sqrt(), ..*self };
        least(1.0, MOST_TIMES_THE_REQUESTS, |requests| !calmer(requests).is_underpowered(check))
    }

    /// The tolerance with which the gate would have enough power; `None` beyond 50 %.
    pub(crate) fn tolerance_needed(&self, check: Check) -> Option<f64> {
        least(0.0, LARGEST_TOLERANCE, |tolerance| {
            let gate = StoredGate { tau: stats::tau(self.metric, tolerance), ..*self };
            !gate.is_underpowered(check)
        })
    }

    fn sees(&self, change: f64, check: Check) -> bool {
        let runs = (0..RUNS).map(|seed| simulate(&[*self], |_| change, check, seed));
        let red = runs.filter(|run| run.verdict == Verdict::Regressed).count();
        red as f64 >= POWER * RUNS as f64
    }

    /// The shift that all sessions of one day share.
    fn day(&self, rng: &mut Pcg64) -> f64 {
        self.deviation * DAY_VARIANCE.sqrt() * normal(rng)
    }

    fn sessions(&self, count: u32, typical: f64, rng: &mut Pcg64) -> Vec<f64> {
        (0..count).map(|_| typical + self.deviation * normal(rng)).collect()
    }
}

impl Forecast {
    /// With every gate's values worse by this many of its tolerances; 0 is an unchanged engine.
    ///
    /// Gates vary independently here. In reality the gates of a suite err together, so fewer runs are red.
    pub(crate) fn of(suite: &[StoredScenario], tolerances: f64) -> Forecast {
        let (mut doubted_runs, mut red_runs, mut sessions) = (0, 0, vec![0; suite.len()]);
        for number in 0..RUNS_OF_FORECAST {
            let (mut doubted, mut red) = (false, false);
            for (index, scenario) in suite.iter().enumerate() {
                let seed = number + RUNS_OF_FORECAST * index as u64;
                let run = simulate(&scenario.gates, |gate| tolerances * gate.tau, scenario.check, seed);
                doubted |= run.doubted;
                red |= run.verdict == Verdict::Regressed;
                sessions[index] += run.sessions;
            }
            doubted_runs += u64::from(doubted);
            red_runs += u64::from(red);
        }
        let each = |sum: &u32| f64::from(*sum) / RUNS_OF_FORECAST as f64;
        Forecast {
            runs: RUNS_OF_FORECAST,
            doubted: doubted_runs,
            red: red_runs,
            sessions: sessions.iter().map(each).collect(),
        }
    }
}

/// One simulated run of a scenario.
struct SimulatedRun {
    doubted: bool,
    verdict: Verdict,
    sessions: u32,
}

/// A gate's simulated sessions of one run.
struct Simulated {
    stored_gate: StoredGate,
    /// How much slower the new engine is.
    change: f64,
    day: f64,
    stored: Vec<f64>,
    screen: Vec<f64>,
}

fn simulate(
    gates: &[StoredGate],
    change: impl Fn(&StoredGate) -> f64,
    check: Check,
    seed: u64,
) -> SimulatedRun {
    let mut rng = Pcg64::seed_from_u64(seed);
    let simulated: Vec<Simulated> =
        gates.iter().map(|gate| Simulated::of(*gate, change(gate), &mut rng)).collect();
    let doubts =
        |gate: &Simulated| rule::screen(&gate.stored, &gate.screen, gate.stored_gate.tau) != Verdict::Ok;
    if !simulated.iter().any(doubts) {
        return SimulatedRun { doubted: false, verdict: Verdict::Ok, sessions: 1 };
    }
    match check {
        Check::Proof { starts, most } => prove(&simulated, starts, most, &mut rng),
        Check::Stored { sessions } => compare_with_stored(&simulated, sessions, &mut rng),
    }
}

impl Simulated {
    fn of(gate: StoredGate, change: f64, rng: &mut Pcg64) -> Simulated {
        let (yesterday, day) = (gate.day(rng), gate.day(rng));
        let stored = gate.sessions(gate.sessions, yesterday, rng);
        let screen = gate.sessions(1, day + change, rng);
        Simulated { stored_gate: gate, change, day, stored, screen }
    }
}

fn prove(simulated: &[Simulated], starts: u32, most: u32, rng: &mut Pcg64) -> SimulatedRun {
    let mut sides = vec![(Vec::new(), Vec::new()); simulated.len()];
    let (mut done, mut next) = (0, starts.min(most));
    loop {
        for (gate, (old, new)) in simulated.iter().zip(&mut sides) {
            old.extend(gate.stored_gate.sessions(next - done, gate.day, rng));
            new.extend(gate.stored_gate.sessions(next - done, gate.day + gate.change, rng));
        }
        done = next;
        let found = simulated.iter().zip(&sides).map(|(gate, (old, new))| {
            let tau = gate.stored_gate.tau;
            Difference::of_alternating(old, new).map_or((Verdict::Inconclusive, false), |difference| {
                let verdict = rule::conclude(&difference, tau, Verdict::Inconclusive);
                (verdict, rule::is_settled(verdict, &difference, tau))
            })
        });
        let found: Vec<(Verdict, bool)> = found.collect();
        let verdict = Verdict::worst(found.iter().map(|(verdict, _)| *verdict));
        if verdict == Verdict::Regressed || found.iter().all(|(_, settled)| *settled) || done >= most {
            return SimulatedRun { doubted: true, verdict, sessions: 1 + 2 * done };
        }
        next = most.min(done + Side::BLOCK.len() as u32 / 2);
    }
}

fn compare_with_stored(simulated: &[Simulated], sessions: u32, rng: &mut Pcg64) -> SimulatedRun {
    let verdicts = simulated.iter().map(|gate| {
        let typical = gate.day + gate.change;
        let more = gate.stored_gate.sessions(sessions.saturating_sub(1), typical, rng);
        let today = [&gate.screen[..], &more].concat();
        if today.len() < rule::MIN_SESSIONS_FOR_REGRESSION {
            return Verdict::Suspected;
        }
        let difference = Difference::to_stored(&gate.stored, &today);
        difference.map_or(Verdict::NotComparable, |found| {
            rule::conclude(&found, gate.stored_gate.tau, Verdict::Suspected)
        })
    });
    SimulatedRun { doubted: true, verdict: Verdict::worst(verdicts), sessions: sessions.max(1) }
}

/// The smallest value for which `holds`, assuming it also holds for all larger values.
fn least(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(high) {
        return None;
    }
    let (mut low, mut high) = (low, high);
    for _ in 0..STEPS_OF_SEARCH {
        let middle = (low + high) / 2.0;
        if holds(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

fn normal(rng: &mut Pcg64) -> f64 {
    StandardNormal.sample(rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: Check = Check::Proof { starts: 4, most: 32 };
    const STORED: Check = Check::Stored { sessions: 4 };

    /// On output throughput with a tolerance of 3 %.
    fn gate(values: &[f64]) -> StoredGate {
        StoredGate::of("output_tokens_per_s".parse().unwrap(), 0.03, values).unwrap()
    }

    fn quiet() -> StoredGate {
        gate(&[1000.0, 1001.0, 999.0, 1000.0])
    }

    /// Varies by 2.1 %.
    fn noisy() -> StoredGate {
        gate(&[1000.0, 1025.0, 975.0, 1010.0])
    }

    fn suite(gate: StoredGate, check: Check) -> [StoredScenario; 1] {
        [StoredScenario { gates: vec![gate], check }]
    }

    #[test]
    fn a_quiet_engine_detects_little_more_than_the_tolerance() {
        for check in [PROOF, STORED] {
            let detectable = quiet().detectable(check).unwrap();
            assert!(-0.034 < detectable && detectable < -0.03, "{check:?}: {detectable}");
        }
    }

    #[test]
    fn on_a_noisy_engine_a_proof_detects_more_than_stored_sessions() {
        let [proof, stored] = [PROOF, STORED].map(|check| noisy().detectable(check).unwrap());
        assert!(stored < 2.0 * proof && proof < -0.03, "{proof} {stored}");
    }

    #[test]
    fn more_starts_give_an_underpowered_proof_enough_power() {
        let few = Check::Proof { starts: 4, most: 4 };
        assert!(noisy().is_underpowered(few));
        let needed = noisy().sessions_needed(few).unwrap();
        assert!(needed > 4 && !noisy().is_underpowered(Check::Proof { starts: needed, most: needed }));
    }

    #[test]
    fn the_suggested_changes_give_a_gate_enough_power() {
        let gate = noisy();
        assert!(gate.is_underpowered(STORED));
        let requests = gate.requests_needed(STORED).unwrap();
        let calmer = StoredGate { deviation: gate.deviation / requests.sqrt(), ..gate };
        assert!(requests > 1.0 && !calmer.is_underpowered(STORED));
        let tolerance = gate.tolerance_needed(STORED).unwrap();
        let wider = StoredGate { tau: stats::tau(gate.metric, tolerance), ..gate };
        assert!(tolerance > 0.03 && !wider.is_underpowered(STORED));
    }

    #[test]
    fn two_sessions_of_today_never_detect_anything() {
        assert_eq!(quiet().detectable(Check::Stored { sessions: 2 }), None);
    }

    #[test]
    fn the_first_session_clears_an_unchanged_quiet_engine() {
        let forecast = Forecast::of(&suite(quiet(), PROOF), 0.0);
        assert_eq!((forecast.doubted, forecast.red, &forecast.sessions[..]), (0, 0, &[1.0][..]));
    }

    #[test]
    fn an_unchanged_noisy_engine_is_often_doubted_but_rarely_red() {
        for check in [PROOF, STORED] {
            let forecast = Forecast::of(&suite(noisy(), check), 0.0);
            assert!(forecast.doubted > forecast.runs / 4, "{forecast:?}");
            assert!(forecast.red < forecast.runs / 200, "{forecast:?}");
        }
    }

    #[test]
    fn a_loss_takes_as_many_sessions_as_its_proof() {
        let sessions = |check| Forecast::of(&suite(quiet(), check), UNDERPOWERED_BEYOND).sessions[0];
        assert_eq!(sessions(PROOF), 1.0 + 2.0 * 4.0);
        assert_eq!(sessions(STORED), 4.0);
    }

    #[test]
    fn a_single_session_shows_no_variation() {
        assert_eq!(StoredGate::of("ttft_ms_p95".parse().unwrap(), 0.1, &[400.0]), None);
    }
}
