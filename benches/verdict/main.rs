//! How good the verdict is: its false alarms and its power on thousands of simulated suites, with the code that judges
//! real ones.
//!
//! `cargo bench --bench verdict` prints the tables; `VERDICT_JSON=FILE` also writes them to a file, and
//! `VERDICT_SUITES=N` sets the number of suites per figure. docs/explanation/verdict.md explains them.

mod naive;
mod noise;
mod suite;
mod table;
mod tally;

use std::io;
use std::thread;

use rand::SeedableRng;
use rand_pcg::Pcg64;

use naive::Naive;
use noise::{NoiseModel, PoolSession};
use suite::{Effect, Rule, Setup};
use tally::{NaiveTally, Tally};

const LEVELS: [f64; 6] = [0.003, 0.005, 0.01, 0.015, 0.02, 0.03];
const REQUESTS: [u32; 2] = [1000, 4000];
const EFFECTS: [f64; 4] = [0.01, 0.03, 0.05, 0.10];
const TTFT_TOLERANCE: f64 = 0.05;
/// A second row: a true change of exactly the tolerance is measured above and below it equally often.
const LENIENT_TTFT_TOLERANCE: f64 = 0.10;
const LENIENT_EFFECTS: [f64; 4] = [0.05, 0.10, 0.15, 0.20];
/// Sessions of today if the old engine can't run.
const SESSIONS_OF_TODAY: usize = 4;
const STORED_EFFECTS: [f64; 2] = [0.10, 0.20];
const SUITES: u64 = 4000;
/// Suites per figure of power, as a share of those per figure of false alarms.
const POWER_SUITES: u64 = 4;
const POOL_SESSIONS: u64 = 2000;
const THREADS: u64 = 2;
/// The changed scenario, in the middle of a session, like most scenarios.
const CHANGED: usize = 10;

/// All counts for one level of noise and one session size.
pub struct Cell {
    pub level: f64,
    pub requests: u32,
    pub unchanged: Tally,
    pub nothing_old_to_run: NothingOldToRun,
    pub power: Vec<Power>,
    pub naive: Vec<NaiveRow>,
}

pub struct NothingOldToRun {
    pub unchanged: Tally,
    /// One for each of [`STORED_EFFECTS`] in throughput.
    pub slower: [Tally; 2],
}

pub struct Power {
    pub metric: usize,
    pub ttft_tolerance: f64,
    pub share: f64,
    pub tally: Tally,
}

pub struct NaiveRow {
    pub naive: Naive,
    pub unchanged: NaiveTally,
    /// 5 % of throughput.
    pub throughput: NaiveTally,
    /// 10 % of p95 TTFT.
    pub ttft: NaiveTally,
}

fn main() -> io::Result<()> {
    let suites = match std::env::var("VERDICT_SUITES") {
        Ok(text) => text.parse().map_err(|_| {
            io::Error::other(format!("expected a number of suites in VERDICT_SUITES, found `{text}`"))
        })?,
        Err(_) => SUITES,
    };
    keep_freed_memory();
    let noise = NoiseModel::load();
    let cells: Vec<Cell> = LEVELS
        .into_iter()
        .flat_map(|level| REQUESTS.map(|requests| (level, requests)))
        .map(|(level, requests)| cell(&noise, level, requests, suites))
        .collect();
    print!("{}", table::text(&noise, &cells));
    if let Ok(path) = std::env::var("VERDICT_JSON") {
        std::fs::write(&path, table::json(&noise, &cells))?;
    }
    Ok(())
}

/// glibc hands freed memory back to the kernel beyond the size of the largest block it has seen freed. Without this,
/// page faults for every suite's new histograms take most of the time.
fn keep_freed_memory() {
    drop(std::hint::black_box(vec![0u8; 16 << 20]));
}

fn cell(noise: &NoiseModel, level: f64, requests: u32, suites: u64) -> Cell {
    let pool = pool(noise, level, requests);
    let (strict, lenient) = (TTFT_TOLERANCE, LENIENT_TTFT_TOLERANCE);
    let setup =
        |ttft_tolerance, rule, effect| Setup { noise, level, pool: &pool, ttft_tolerance, rule, effect };
    let count = |suites: u64, setup: Setup| {
        parallel(suites, Tally::default(), Tally::merge, |tally, rng| {
            tally.add(&setup.run(rng), setup.effect);
        })
    };
    let few = suites.div_ceil(POWER_SUITES);
    let power = |metric, ttft_tolerance, effects: [f64; 4]| {
        effects.map(|share| {
            let effect = Effect::of(CHANGED, metric, share);
            let tally = count(few, setup(ttft_tolerance, Rule::Proof, Some(effect)));
            Power { metric, ttft_tolerance, share, tally }
        })
    };
    let nothing_old_to_run = || {
        let rule = Rule::MoreSessionsOfToday(SESSIONS_OF_TODAY);
        let effect = |share| Some(Effect::of(CHANGED, suite::THROUGHPUT, share));
        NothingOldToRun {
            unchanged: count(suites, setup(strict, rule, None)),
            slower: STORED_EFFECTS.map(|share| count(few, setup(strict, rule, effect(share)))),
        }
    };
    let naive = |metric_and_share: Option<(usize, f64)>| {
        let effect = metric_and_share.map(|(metric, share)| Effect::of(CHANGED, metric, share));
        let setup = setup(strict, Rule::Proof, effect);
        let empty = [NaiveTally::default(); Naive::ALL.len()];
        let merge = |a: [NaiveTally; 4], b: [NaiveTally; 4]| std::array::from_fn(|i| a[i].merge(b[i]));
        parallel(few, empty, merge, |tallies, rng| {
            let red = naive::run(&setup, rng);
            tallies.iter_mut().zip(&red).for_each(|(tally, red)| tally.add(red, effect));
        })
    };
    let unchanged = naive(None);
    let throughput = naive(Some((suite::THROUGHPUT, 0.05)));
    let ttft = naive(Some((suite::TTFT, 0.10)));
    Cell {
        level,
        requests,
        unchanged: count(suites, setup(strict, Rule::Proof, None)),
        nothing_old_to_run: nothing_old_to_run(),
        power: [
            power(suite::THROUGHPUT, strict, EFFECTS),
            power(suite::TTFT, strict, EFFECTS),
            power(suite::TTFT, lenient, LENIENT_EFFECTS),
        ]
        .into_iter()
        .flatten()
        .collect(),
        naive: (0..Naive::ALL.len())
            .map(|i| NaiveRow {
                naive: Naive::ALL[i],
                unchanged: unchanged[i],
                throughput: throughput[i],
                ttft: ttft[i],
            })
            .collect(),
    }
}

fn pool(noise: &NoiseModel, level: f64, requests: u32) -> Vec<PoolSession> {
    let metrics = suite::metrics();
    let append = |mut a: Vec<PoolSession>, mut b: Vec<PoolSession>| {
        a.append(&mut b);
        a
    };
    parallel(POOL_SESSIONS, Vec::new(), append, |pool, rng| {
        pool.push(noise.request.session(requests, level, &metrics, rng));
    })
}

/// Runs `each` this many times, each with its own generator, whose seed doesn't depend on the threads.
fn parallel<T: Clone + Send>(
    times: u64,
    empty: T,
    merge: impl Fn(T, T) -> T,
    each: impl Fn(&mut T, &mut Pcg64) + Sync,
) -> T {
    let each = &each;
    thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mut counted = empty.clone();
                scope.spawn(move || {
                    for seed in (thread..times).step_by(THREADS as usize) {
                        each(&mut counted, &mut Pcg64::seed_from_u64(seed));
                    }
                    counted
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a simulated suite doesn't panic"))
            .reduce(merge)
            .expect("there are threads")
    })
}
