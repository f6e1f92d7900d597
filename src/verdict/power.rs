//! What gates are able to see: the rule itself, rehearsed on figures that scatter as the stored sessions do.
//!
//! A rehearsed session's value is the sum of a day's share, the same for all sessions of that day, and a start's own.
//! Both are normal; a start has the standard deviation s of the stored sessions, a day √[`DAY_VARIANCE`] times as much.
//! That s is taken as known, although K sessions tell it only roughly: four of them to within a factor of 0.6 to 3.7
//! (95 %).

use rand::SeedableRng;
use rand_distr::{Distribution as _, StandardNormal};
use rand_pcg::Pcg64;

use crate::metrics::Metric;
use crate::verdict::stats::{self, DAY_VARIANCE, Difference};
use crate::verdict::{Side, Verdict, rule};

/// What follows where a session is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Old and new in turn: `starts` of each side before the first judgment, `most` before the last.
    Proof { starts: u32, most: u32 },
    /// Nothing old can be run: so many sessions of today in all, against the stored ones.
    Stored { sessions: u32 },
}

/// A gate as its stored sessions show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredGate {
    metric: Metric,
    tau: f64,
    /// Between sessions, on the scale of slowness.
    deviation: f64,
    sessions: u32,
}

/// A scenario's gates, and what follows where one of them is doubted.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredScenario {
    pub gates: Vec<StoredGate>,
    pub check: Check,
}

/// How rehearsed runs of a suite came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    pub runs: u64,
    /// In which one session did not clear every scenario.
    pub doubted: u64,
    pub red: u64,
    /// Sessions that each scenario took on average, the first one and those of both sides included.
    pub sessions: Vec<f64>,
}

/// What a gate should be able to see, as a multiple of its tolerance. A gate that can't is underpowered.
pub const UNDERPOWERED_BEYOND: f64 = 2.0;
/// With this chance.
pub const POWER: f64 = 0.9;
/// Runs behind a figure of power: 90 % of them are known to within 3 %.
const RUNS: u64 = 400;
/// Runs behind an forecast: a suite's false alarms are one in a thousand.
const RUNS_OF_FORECAST: u64 = 4000;
const STEPS_OF_SEARCH: u32 = 12;
/// In slowness: 95 % of the throughput lost. What a gate can't see then, it never sees.
const LARGEST_CHANGE: f64 = 3.0;
const LARGEST_TOLERANCE: f64 = 0.5;
const MOST_TIMES_THE_REQUESTS: f64 = 100.0;
/// Of each side, or of today.
const SESSIONS_TO_TRY: [u32; 8] = [4, 6, 8, 12, 16, 24, 32, 48];

impl StoredGate {
    /// `None` of values that have no scatter: fewer than two, or without a logarithm.
    pub fn of(metric: Metric, tolerance: f64, values: &[f64]) -> Option<StoredGate> {
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
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// The smallest change for the worse, relative to the metric, that is red with a chance of 90 %; `None` where
    /// nothing is.
    pub fn detectable(&self, check: Check) -> Option<f64> {
        let change = least(0.0, LARGEST_CHANGE, |change| self.sees(change, check))?;
        Some(stats::relative_change(self.metric, change))
    }

    /// Whether a loss of twice the tolerance would often go unseen.
    pub fn is_underpowered(&self, check: Check) -> bool {
        !self.sees(UNDERPOWERED_BEYOND * self.tau, check)
    }

    /// The starts of each side, or the sessions of the baseline and of today, with which the gate is no longer
    /// underpowered.
    pub fn sessions_needed(&self, check: Check) -> Option<u32> {
        let with = |sessions| match check {
            Check::Proof { .. } => (*self, Check::Proof { starts: sessions, most: sessions }),
            Check::Stored { .. } => (StoredGate { sessions, ..*self }, Check::Stored { sessions }),
        };
        SESSIONS_TO_TRY.into_iter().find(|sessions| {
            let (gate, check) = with(*sessions);
            !gate.is_underpowered(check)
        })
    }

    /// By how much the sessions' variance has to shrink for the gate not to be underpowered: so many times the requests
    /// of a session, if requests are all that scatters. `None` beyond a hundred times.
    pub fn requests_needed(&self, check: Check) -> Option<f64> {
        let calmer = |requests: f64| StoredGate { deviation: self.deviation / requests.sqrt(), ..*self };
        least(1.0, MOST_TIMES_THE_REQUESTS, |requests| !calmer(requests).is_underpowered(check))
    }

    /// The tolerance with which the gate would not be underpowered; `None` beyond 50 %.
    pub fn tolerance_needed(&self, check: Check) -> Option<f64> {
        least(0.0, LARGEST_TOLERANCE, |tolerance| {
            let gate = StoredGate { tau: stats::tau(self.metric, tolerance), ..*self };
            !gate.is_underpowered(check)
        })
    }

    fn sees(&self, change: f64, check: Check) -> bool {
        let runs = (0..RUNS).map(|seed| rehearse(&[*self], |_| change, check, seed));
        let red = runs.filter(|run| run.verdict == Verdict::Regressed).count();
        red as f64 >= POWER * RUNS as f64
    }

    /// What today's sessions differ from the stored ones by, before any change: the day.
    fn day(&self, rng: &mut Pcg64) -> f64 {
        self.deviation * DAY_VARIANCE.sqrt() * normal(rng)
    }

    fn sessions(&self, count: u32, typical: f64, rng: &mut Pcg64) -> Vec<f64> {
        (0..count).map(|_| typical + self.deviation * normal(rng)).collect()
    }
}

impl Forecast {
    /// With every gate's values worse by so many of its tolerances; 0 is an engine that did not change.
    ///
    /// Every gate scatters by itself here. In truth those of a suite err together, and fewer runs are red.
    pub fn of(suite: &[StoredScenario], tolerances: f64) -> Forecast {
        let (mut doubted_runs, mut red_runs, mut sessions) = (0, 0, vec![0; suite.len()]);
        for number in 0..RUNS_OF_FORECAST {
            let (mut doubted, mut red) = (false, false);
            for (index, scenario) in suite.iter().enumerate() {
                let seed = number + RUNS_OF_FORECAST * index as u64;
                let run = rehearse(&scenario.gates, |gate| tolerances * gate.tau, scenario.check, seed);
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

/// One run of a scenario.
struct SimulatedRun {
    doubted: bool,
    verdict: Verdict,
    sessions: u32,
}

/// A gate's sessions of one run.
struct Simulated {
    stored_gate: StoredGate,
    /// What the new engine is slower by.
    change: f64,
    day: f64,
    stored: Vec<f64>,
    screen: Vec<f64>,
}

fn rehearse(
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
        Check::Stored { sessions } => convict_by_stored(&simulated, sessions, &mut rng),
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
    let (mut sessions_run, mut next) = (0, starts.min(most));
    loop {
        for (gate, (old, new)) in simulated.iter().zip(&mut sides) {
            old.extend(gate.stored_gate.sessions(next - sessions_run, gate.day, rng));
            new.extend(gate.stored_gate.sessions(next - sessions_run, gate.day + gate.change, rng));
        }
        sessions_run = next;
        let found = simulated.iter().zip(&sides).map(|(gate, (old, new))| {
            let tau = gate.stored_gate.tau;
            Difference::of_alternating(old, new).map_or((Verdict::Inconclusive, false), |difference| {
                let verdict = rule::conclude(&difference, tau, Verdict::Inconclusive);
                (verdict, rule::is_settled(verdict, &difference, tau))
            })
        });
        let found: Vec<(Verdict, bool)> = found.collect();
        let verdict = Verdict::worst(found.iter().map(|(verdict, _)| *verdict));
        if verdict == Verdict::Regressed || found.iter().all(|(_, settled)| *settled) || sessions_run >= most
        {
            return SimulatedRun { doubted: true, verdict, sessions: 1 + 2 * sessions_run };
        }
        next = most.min(sessions_run + Side::BLOCK.len() as u32 / 2);
    }
}

fn convict_by_stored(simulated: &[Simulated], sessions: u32, rng: &mut Pcg64) -> SimulatedRun {
    let verdicts = simulated.iter().map(|gate| {
        let typical = gate.day + gate.change;
        let more = gate.stored_gate.sessions(sessions.saturating_sub(1), typical, rng);
        let today = [&gate.screen[..], &more].concat();
        if today.len() < rule::LEAST_SESSIONS_TO_CONVICT {
            return Verdict::Suspected;
        }
        let difference = Difference::to_stored(&gate.stored, &today);
        difference.map_or(Verdict::NotComparable, |found| {
            rule::conclude(&found, gate.stored_gate.tau, Verdict::Suspected)
        })
    });
    SimulatedRun { doubted: true, verdict: Verdict::worst(verdicts), sessions: sessions.max(1) }
}

/// The least of the values for which it holds, if it holds for all that are larger.
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

    /// By 2.1 %.
    fn restless() -> StoredGate {
        gate(&[1000.0, 1025.0, 975.0, 1010.0])
    }

    fn suite(gate: StoredGate, check: Check) -> [StoredScenario; 1] {
        [StoredScenario { gates: vec![gate], check }]
    }

    #[test]
    fn a_quiet_engine_shows_little_more_than_the_tolerance() {
        for check in [PROOF, STORED] {
            let detectable = quiet().detectable(check).unwrap();
            assert!(-0.034 < detectable && detectable < -0.03, "{check:?}: {detectable}");
        }
    }

    #[test]
    fn a_restless_engine_shows_more_to_a_proof_than_to_stored_sessions() {
        let [proof, stored] = [PROOF, STORED].map(|check| restless().detectable(check).unwrap());
        assert!(stored < 2.0 * proof && proof < -0.03, "{proof} {stored}");
    }

    #[test]
    fn a_proof_of_few_starts_is_underpowered() {
        let few = Check::Proof { starts: 4, most: 4 };
        assert!(restless().is_underpowered(few));
        let needed = restless().sessions_needed(few).unwrap();
        assert!(needed > 4 && !restless().is_underpowered(Check::Proof { starts: needed, most: needed }));
    }

    #[test]
    fn the_needed_changes_give_enough_power() {
        let gate = restless();
        assert!(gate.is_underpowered(STORED));
        let requests = gate.requests_needed(STORED).unwrap();
        let calmer = StoredGate { deviation: gate.deviation / requests.sqrt(), ..gate };
        assert!(requests > 1.0 && !calmer.is_underpowered(STORED));
        let tolerance = gate.tolerance_needed(STORED).unwrap();
        let wider = StoredGate { tau: stats::tau(gate.metric, tolerance), ..gate };
        assert!(tolerance > 0.03 && !wider.is_underpowered(STORED));
    }

    #[test]
    fn two_sessions_of_today_see_nothing_whatever_happens() {
        assert_eq!(quiet().detectable(Check::Stored { sessions: 2 }), None);
    }

    #[test]
    fn an_unchanged_quiet_engine_is_cleared_by_its_first_session() {
        let forecast = Forecast::of(&suite(quiet(), PROOF), 0.0);
        assert_eq!((forecast.doubted, forecast.red, &forecast.sessions[..]), (0, 0, &[1.0][..]));
    }

    #[test]
    fn an_unchanged_restless_engine_is_doubted_often_and_red_hardly_ever() {
        for check in [PROOF, STORED] {
            let forecast = Forecast::of(&suite(restless(), check), 0.0);
            assert!(forecast.doubted > forecast.runs / 4, "{forecast:?}");
            assert!(forecast.red < forecast.runs / 200, "{forecast:?}");
        }
    }

    #[test]
    fn a_loss_costs_the_sessions_that_prove_it() {
        let sessions = |check| Forecast::of(&suite(quiet(), check), UNDERPOWERED_BEYOND).sessions[0];
        assert_eq!(sessions(PROOF), 1.0 + 2.0 * 4.0);
        assert_eq!(sessions(STORED), 4.0);
    }

    #[test]
    fn a_single_session_has_no_scatter() {
        assert_eq!(StoredGate::of("ttft_ms_p95".parse().unwrap(), 0.1, &[400.0]), None);
    }
}
