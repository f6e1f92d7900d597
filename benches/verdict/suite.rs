//! A suite of scenarios, run and judged as by a campaign, but on simulated sessions.

use rand_pcg::Pcg64;

use tollgate::internals::ClientHealth;
use tollgate::internals::MOST_STARTS_OF_PLANNED;
use tollgate::internals::{Evidence, GateOutcome, Old, Side, Verdict, is_decided, judge, stats, wants_proof};
use tollgate::internals::{Gate, Metric};
use tollgate::internals::{RequestCounts, Summary};

use crate::noise::{Day, Measured, NoiseModel, PoolSession};

pub const SCENARIOS: usize = 20;
pub const METRICS: usize = 2;
pub const THROUGHPUT: usize = 0;
pub const TTFT: usize = 1;

pub const THROUGHPUT_TOLERANCE: f64 = 0.03;
/// Sessions of the baseline.
pub const STORED_SESSIONS: usize = 4;

/// Blocks before the first judgment; one more before each further one.
const FIRST_BLOCKS: usize = 2;
/// Maximum starts of each side, assuming that a proof's time limit allows all that the rule allows.
const MOST_STARTS: usize = FIRST_BLOCKS * Side::BLOCK.len() / 2 * MOST_STARTS_OF_PLANNED as usize;

pub fn metrics() -> [Metric; METRICS] {
    ["output_tokens_per_s", "ttft_ms_p95"].map(|name| name.parse().expect("a metric of the crate"))
}

/// What happens after the single session of today looks slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Old and new alternate.
    Proof,
    /// The old engine can't run: more sessions of today against the stored ones.
    MoreSessionsOfToday(usize),
}

/// A true change of one scenario's metric, in slowness.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    pub scenario: usize,
    pub metric: usize,
    pub slowness: f64,
}

impl Effect {
    /// `share` less throughput or `share` more latency.
    pub fn of(scenario: usize, metric: usize, share: f64) -> Effect {
        Effect { scenario, metric, slowness: stats::tau(metrics()[metric], share) }
    }
}

pub struct Setup<'a> {
    pub noise: &'a NoiseModel,
    pub level: f64,
    pub pool: &'a [PoolSession],
    pub ttft_tolerance: f64,
    pub rule: Rule,
    pub effect: Option<Effect>,
}

type ScenarioOutcome = [GateOutcome; METRICS];

pub struct SuiteOutcome {
    pub verdicts: Vec<[Verdict; METRICS]>,
    /// Scenarios that one session did not clear.
    pub doubted: usize,
    /// Starts of each side in the proof.
    pub starts: usize,
    /// Scenarios measured, over all sessions of today.
    pub scenario_sessions: usize,
}

impl Setup<'_> {
    pub fn gates(&self) -> [Gate; METRICS] {
        let [throughput, ttft] = metrics();
        let gate =
            |metric, tolerance| Gate::relative(metric, tolerance).expect("a tolerance within its range");
        [gate(throughput, THROUGHPUT_TOLERANCE), gate(ttft, self.ttft_tolerance)]
    }

    pub fn session_of_new<'a>(&self, day: &mut Day<'a>, rng: &mut Pcg64) -> [Measured<'a>; SCENARIOS] {
        let mut session = day.session(rng);
        if let Some(Effect { scenario, metric, slowness }) = self.effect {
            session[scenario].offset[metric] += slowness;
        }
        session
    }

    pub fn run(&self, rng: &mut Pcg64) -> SuiteOutcome {
        let gates = self.gates();
        let mut yesterday = Day::begin(&self.noise.session, self.level, self.pool, rng);
        let stored: Vec<_> = (0..STORED_SESSIONS).map(|_| yesterday.session(rng)).collect();
        let mut today = Day::begin(&self.noise.session, self.level, self.pool, rng);
        let screen = self.session_of_new(&mut today, rng);
        let against_stored = |scenario: usize, new: &[Summary]| -> ScenarioOutcome {
            std::array::from_fn(|metric| {
                let of = |session: &[Measured; SCENARIOS]| value(metric, session[scenario].whole()[metric]);
                let values: Vec<f64> = stored.iter().map(of).collect();
                judge(&gates[metric], Old::Stored(&values), &evidence(new))
            })
        };
        let mut outcomes: Vec<ScenarioOutcome> =
            (0..SCENARIOS).map(|scenario| against_stored(scenario, &[summary(&screen[scenario])])).collect();
        let doubted: Vec<usize> =
            (0..SCENARIOS).filter(|scenario| wants_proof(&outcomes[*scenario])).collect();
        let (mut starts, mut scenario_sessions) = (0, SCENARIOS);
        match self.rule {
            _ if doubted.is_empty() => {}
            Rule::Proof => {
                starts = self.prove(&doubted, &gates, &mut today, &mut outcomes, rng);
                scenario_sessions += 2 * starts * doubted.len();
            }
            Rule::MoreSessionsOfToday(sessions) => {
                let mut new = vec![screen];
                new.extend((1..sessions).map(|_| self.session_of_new(&mut today, rng)));
                for scenario in &doubted {
                    let summaries: Vec<Summary> =
                        new.iter().map(|session| summary(&session[*scenario])).collect();
                    outcomes[*scenario] = against_stored(*scenario, &summaries);
                }
                scenario_sessions += (sessions - 1) * doubted.len();
            }
        }
        let verdicts = outcomes.into_iter().map(|gates| gates.map(|gate| gate.verdict)).collect();
        SuiteOutcome { verdicts, doubted: doubted.len(), starts, scenario_sessions }
    }

    /// One proof of all doubted scenarios, as long as any is undecided. Returns the starts of each side.
    fn prove(
        &self,
        doubted: &[usize],
        gates: &[Gate; METRICS],
        today: &mut Day,
        outcomes: &mut [ScenarioOutcome],
        rng: &mut Pcg64,
    ) -> usize {
        let mut sides = [vec![Vec::new(); SCENARIOS], vec![Vec::new(); SCENARIOS]];
        let mut starts = 0;
        let mut blocks = FIRST_BLOCKS;
        loop {
            for side in Side::BLOCK.repeat(blocks) {
                let session = match side {
                    Side::Old => today.session(rng),
                    Side::New => self.session_of_new(today, rng),
                };
                doubted.iter().for_each(|s| sides[side as usize][*s].push(summary(&session[*s])));
            }
            starts += blocks * Side::BLOCK.len() / 2;
            blocks = 1;
            let [old, new] = &sides;
            for scenario in doubted {
                let (old, new) = (evidence(&old[*scenario]), evidence(&new[*scenario]));
                outcomes[*scenario] = gates.map(|gate| judge(&gate, Old::Alternating(&old), &new));
            }
            let decided = doubted.iter().all(|scenario| is_decided(&outcomes[*scenario]));
            if decided || starts >= MOST_STARTS {
                return starts;
            }
        }
    }
}

fn value(metric: usize, slowness: f64) -> f64 {
    // A different unit, which makes no difference to a relative verdict, keeps the latency histograms small.
    if metric == THROUGHPUT { (-slowness).exp() } else { slowness.exp() / 1e3 }
}

/// A session's summary with exactly the values that were drawn.
fn summary(measured: &Measured) -> Summary {
    let slowness = measured.whole();
    let mut summary = Summary {
        window_s: slowness[THROUGHPUT].exp() * 1e6,
        requests: RequestCounts { sent: 1, succeeded: 1, ended_by_length: 1, ..RequestCounts::default() },
        output_tokens: 1_000_000,
        ..Summary::default()
    };
    summary.ttft_ms.record_ms(value(TTFT, slowness[TTFT]));
    summary
}

fn health() -> &'static ClientHealth {
    static HEALTHY: std::sync::OnceLock<ClientHealth> = std::sync::OnceLock::new();
    HEALTHY.get_or_init(ClientHealth::default)
}

fn evidence(summaries: &[Summary]) -> Vec<Evidence<'_>> {
    summaries.iter().map(|summary| Evidence { summary, health: health(), open: false }).collect()
}
