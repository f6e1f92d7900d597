//! A sweep of two targets whose curves cross, for tests of the renderers.

use crate::engine::HttpVersion;
use crate::load::{Load, StopCondition};
use crate::metrics::health::ClientHealth;
use crate::metrics::record::example::{answered, failed};
use crate::metrics::record::{RecordSink, RequestRecord};
use crate::metrics::summary::{Summary, SummaryBuilder, Times};
use crate::metrics::timeline::{Timeline, TimelineBuilder};
use crate::results::limits::{Goodput, Limits};
use crate::results::sweep::{Axis, Knee, Level, Sweep, SweptTarget};
use crate::results::{Kind, Round, Run, Session, VERSION};
use crate::target::Environment;
use crate::units::Nanos;

/// The users at each level.
pub(crate) const LADDER: [u32; 5] = [1, 2, 4, 8, 16];
const OUTPUT_TOKENS: u32 = 20;

/// `quick` answers a single user faster but has only four slots; `wide` is slower but has a slot for every user.
pub(crate) fn crossing() -> Sweep {
    let limits: Limits = "ttft_ms_p95=400,tpot_ms_p95=60".parse().unwrap();
    let quick = target("quick", "llamacpp b11434", 4, |users| (60, 10 + users.min(4)), &limits);
    let wide = target("wide", "vllm 0.32.0", 64, |users| (120, 16 + users / 4), &limits);
    Sweep {
        kind: Kind::Sweep,
        version: VERSION,
        run: Run {
            id: "2026-11-21T10-00-00".into(),
            started: "2026-11-21T10:00:00Z".into(),
            tollgate: "0.1.0".into(),
            root: None,
            worker: None,
        },
        workload: "prompts of 128 tokens, answers of 20 tokens, seed 1".into(),
        workload_hash: "sha256:77ab77ab77ab77ab".into(),
        axis: Axis::Users,
        limits,
        interleaved: false,
        interrupted: false,
        targets: vec![
            SweptTarget {
                knee: Some(Knee { after: 4.0, by: 8.0, gain: 0.01 }),
                meets_limits_up_to: Some(4.0),
                ..quick
            },
            SweptTarget { meets_limits_up_to: Some(16.0), ..wide },
        ],
        warnings: Vec::new(),
    }
}

/// Every external text is hostile, and one target was not available.
pub(crate) fn nasty() -> Sweep {
    let text = "\x1b[31m\0 ]]> <script>alert('1')</script> =HYPERLINK(\"x\") | \"a\", 'b' & \u{202e}";
    let mut sweep = crossing();
    sweep.workload = text.into();
    sweep.warnings = vec![text.into()];
    let target = &mut sweep.targets[0];
    target.name = format!("=HYPERLINK({text}");
    target.warnings = vec![text.into()];
    let environment = target.environment.as_mut().unwrap();
    (environment.engine, environment.model) = (format!("vllm {text}"), text.into());
    target.levels[0].sessions[0].failures = vec![text.into()];
    let gone = SweptTarget {
        name: "gone".into(),
        environment: None,
        levels: Vec::new(),
        knee: None,
        meets_limits_up_to: None,
        trouble: Some(text.into()),
        warnings: Vec::new(),
    };
    sweep.targets.push(gone);
    sweep
}

/// `times` returns a level's TTFT and TPOT in milliseconds while a slot is free.
fn target(
    name: &str,
    engine: &str,
    slots: u32,
    times: impl Fn(u32) -> (u64, u32),
    limits: &Limits,
) -> SweptTarget {
    SweptTarget {
        name: name.into(),
        environment: Some(Environment {
            name: format!("l40s-{name}"),
            engine: engine.into(),
            model: "Qwen/Qwen3-8B".into(),
            machine: "1 x NVIDIA L40S".into(),
            url: None,
            http_version: HttpVersion::default(),
            simulator: None,
            image: None,
            args: None,
        }),
        levels: LADDER.map(|users| level(users, slots, times(users), limits)).into(),
        knee: None,
        meets_limits_up_to: None,
        trouble: None,
        warnings: Vec::new(),
    }
}

fn level(users: u32, slots: u32, times: (u64, u32), limits: &Limits) -> Level {
    let load = Load::closed(users, StopCondition::Requests(4 * users));
    let rounds: Vec<Vec<RequestRecord>> =
        (0..3).map(|round| records(users, users.min(slots), times, round)).collect();
    let summaries: Vec<Summary> = rounds.iter().map(|records| summary(records, &load)).collect();
    let summary = Summary::merge(&summaries);
    let answers = rounds.iter().flatten().filter_map(|record| Times::of(record, &load, true));
    let within = answers.filter(|times| limits.admit(times)).count() as u64;
    Level {
        at: f64::from(users),
        goodput: Some(Goodput::of(limits, within, &summary)),
        timeline: Some(timeline(&rounds[0], &load)),
        load,
        sessions: vec![Session {
            number: 1,
            started: "2026-11-21T10:00:00Z".into(),
            seconds: 28.5,
            summary: summary.clone(),
            health: ClientHealth::default(),
            rounds: summaries
                .into_iter()
                .map(|summary| Round { summary, health: ClientHealth::default(), window: None })
                .collect(),
            server: None,
            failures: Vec::new(),
            log: None,
            records: None,
            clock: None,
        }],
        summary,
    }
}

fn summary(records: &[RequestRecord], load: &Load) -> Summary {
    let mut builder = SummaryBuilder::new(load, true);
    records.iter().for_each(|record| builder.take(record));
    builder.finish().0
}

fn timeline(records: &[RequestRecord], load: &Load) -> Timeline {
    let mut builder = TimelineBuilder::new(load, true);
    records.iter().for_each(|record| builder.take(record));
    builder.finish()
}

/// Four requests per user, with `at_once` running at the same time. With 16 users, one request fails.
fn records(users: u32, at_once: u32, (ttft_ms, tpot_ms): (u64, u32), round: u32) -> Vec<RequestRecord> {
    let seconds: Nanos = 100_000 * u64::from(round + 1);
    let mut free_ms = vec![seconds; at_once as usize];
    let mut sent_ms = vec![seconds; users as usize];
    (0..4 * users)
        .map(|number| {
            let (user, place) = ((number % users) as usize, (number % at_once) as usize);
            // Varies by 2 %, so that there is something to see.
            let scatter = 0.98 + 0.01 * f64::from((number * 7 + round * 3) % 5);
            let start_ms = sent_ms[user].max(free_ms[place]);
            let first_ms = start_ms + (ttft_ms as f64 * scatter) as u64;
            let gap_ms = f64::from(tpot_ms) * scatter;
            let content_ms: Vec<u64> =
                (0..OUTPUT_TOKENS).map(|token| first_ms + (f64::from(token) * gap_ms) as u64).collect();
            let sent = sent_ms[user];
            let end_ms = *content_ms.last().unwrap();
            (free_ms[place], sent_ms[user]) = (end_ms, end_ms);
            match (users, number, round) {
                (16, 40, 0) => failed(sent, end_ms),
                _ => answered(sent, &content_ms, OUTPUT_TOKENS),
            }
        })
        .collect()
}

#[test]
fn the_curves_of_the_example_cross() {
    let sweep = crossing();
    let throughput = |target: usize, level: usize| {
        let metric = "output_tokens_per_s".parse().unwrap();
        sweep.targets[target].levels[level].summary.value(metric).unwrap()
    };
    assert!(throughput(0, 0) > 1.2 * throughput(1, 0));
    assert!(throughput(0, 4) < 0.7 * throughput(1, 4));
}
