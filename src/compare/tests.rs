use proptest::prelude::*;

use super::*;
use crate::engine::HttpVersion;
use crate::results::comparison::{Advice, Criterion, Traffic};
use crate::results::file::ReportFile;
use crate::results::sweep::{Sweep, example};

fn candidates_of(sweep: Sweep) -> Vec<Candidate> {
    candidates(vec![("sweep.json".into(), ReportFile::Sweep(Box::new(sweep)))]).unwrap()
}

fn crossing() -> Comparison {
    compare(&candidates_of(example::crossing()), &Preferences::default()).unwrap()
}

fn advice(comparison: &Comparison, traffic: Traffic) -> &Advice {
    &comparison.recommendation.classes.iter().find(|class| class.traffic == traffic).unwrap().advice
}

fn reasons(comparison: &Comparison, traffic: Traffic) -> String {
    let mut classes = comparison.recommendation.classes.iter();
    classes.find(|class| class.traffic == traffic).unwrap().reasons.join("\n")
}

#[test]
fn crossing_curves_are_reported_with_their_location() {
    let comparison = crossing();
    let throughput = comparison
        .crossings
        .iter()
        .find(|crossing| crossing.metric == metric("output_tokens_per_s"))
        .unwrap();
    assert_eq!((throughput.before.as_str(), throughput.after.as_str()), ("quick", "wide"));
    assert_eq!((throughput.up_to, throughput.from), (4.0, 8.0));
    assert!((4.0..8.0).contains(&throughput.at), "{throughput:?}");
}

#[test]
fn low_and_high_traffic_get_different_advice() {
    let comparison = crossing();
    assert_eq!(advice(&comparison, Traffic::Low), &Advice::Take("quick".into()));
    assert_eq!(advice(&comparison, Traffic::Medium), &Advice::Take("wide".into()));
    assert_eq!(advice(&comparison, Traffic::High), &Advice::NotMeasured);
    let why = reasons(&comparison, Traffic::Low);
    assert!(why.contains("quick has better output throughput by a factor of "), "{why}");
    assert!(reasons(&comparison, Traffic::Medium).contains("wide failed 1 of 192 (1 timeout)"));
    assert!(reasons(&comparison, Traffic::High).contains("near or above 50 users"));
}

#[test]
fn an_engine_against_itself_is_too_close_to_call() {
    let mut sweep = example::crossing();
    sweep.targets[1] = sweep.targets[0].clone();
    let comparison = compare(&candidates_of(sweep), &Preferences::default()).unwrap();
    let metrics = || comparison.levels.iter().flat_map(|level| &level.metrics);
    assert!(metrics().count() > 20 && metrics().all(|metric| metric.winner.is_none()));
    assert_eq!(comparison.crossings, []);
    let names = ["quick (llamacpp b11434) #1".to_owned(), "quick (llamacpp b11434) #2".to_owned()];
    assert_eq!(advice(&comparison, Traffic::Low), &Advice::TooCloseToCall(names.into()));
    assert!(reasons(&comparison, Traffic::Low).contains("They tie on output throughput."));
}

#[test]
fn criteria_without_data_are_left_out_and_listed() {
    let recommendation = crossing().recommendation;
    assert_eq!(recommendation.left_out[&Criterion::Efficiency], "no cost given for quick, wide (--costs)");
    assert!(recommendation.left_out.contains_key(&Criterion::Simplicity));
    let scored: Vec<Criterion> = recommendation.classes[0].scores.keys().copied().collect();
    assert_eq!(scored, [Criterion::Performance, Criterion::Reliability]);
}

#[test]
fn preferences_change_the_advice() {
    let simplicity = [("quick".to_owned(), 5.0), ("wide".to_owned(), 1.0)].into();
    let weights = Preferences::parse_weights("performance=10,simplicity=90").unwrap();
    let preferences = Preferences { weights, simplicity, ..Preferences::default() };
    let comparison = compare(&candidates_of(example::crossing()), &preferences).unwrap();
    assert_eq!(advice(&comparison, Traffic::Medium), &Advice::Take("quick".into()));
    let costs = [("quick".to_owned(), 1.0), ("wide".to_owned(), 9.0)].into();
    let weights = Preferences::parse_weights("efficiency=1").unwrap();
    let preferences = Preferences { weights, costs, ..Preferences::default() };
    let comparison = compare(&candidates_of(example::crossing()), &preferences).unwrap();
    assert_eq!(advice(&comparison, Traffic::Medium), &Advice::Take("quick".into()));
    let unknown = Preferences { costs: [("quik".to_owned(), 1.0)].into(), ..Preferences::default() };
    let error = compare(&candidates_of(example::crossing()), &unknown).unwrap_err().to_string();
    assert!(error.starts_with("no compared target is named `quik`: did you mean `quick`?"), "{error}");
}

#[test]
fn hostile_names_in_a_hint_are_escaped() {
    let unknown = Preferences { costs: [("quik".to_owned(), 1.0)].into(), ..Preferences::default() };
    let error = compare(&candidates_of(example::nasty()), &unknown).unwrap_err().to_string();
    assert!(error.contains("`wide`") && !error.contains(['\x1b', '\0', '\u{202e}']), "{error:?}");
}

#[test]
fn an_unmeasured_target_may_be_called_by_its_future_name() {
    let measured = ("old.json".to_owned(), ReportFile::Sweep(Box::new(example::crossing())));
    let mut sweep = example::crossing();
    sweep.targets.truncate(1);
    (sweep.targets[0].environment, sweep.targets[0].levels) = (None, Vec::new());
    let found = candidates(vec![measured, ("new".into(), ReportFile::Sweep(Box::new(sweep)))]).unwrap();
    let check = |name: &str| {
        let costs = [("quick (llamacpp b11434)".to_owned(), 1.0), (name.to_owned(), 2.0)].into();
        super::check(&found, &Preferences { costs, ..Preferences::default() })
    };
    assert_eq!(check("quick (llamacpp b11500)"), Ok(Axis::Users));
    assert!(check("quick2").is_err() && check("wide (vllm 0.33.0)").is_err());
}

#[test]
fn different_models_are_the_first_caveat() {
    let mut sweep = example::crossing();
    assert_eq!(compare(&candidates_of(sweep.clone()), &Preferences::default()).unwrap().caveats, [""; 0]);
    let environment = sweep.targets[1].environment.as_mut().unwrap();
    environment.model = "Qwen/Qwen3-8B-AWQ".into();
    environment.machine = "2 x CPU".into();
    environment.http_version = HttpVersion::Http2;
    let comparison = compare(&candidates_of(sweep), &Preferences::default()).unwrap();
    let caveats = &comparison.caveats;
    assert!(
        caveats[0].starts_with(
            "Different models or quantizations: quick has Qwen/Qwen3-8B, wide has Qwen/Qwen3-8B-AWQ."
        ),
        "{caveats:?}"
    );
    assert!(caveats[1].starts_with("Different machines: "), "{caveats:?}");
    assert_eq!(caveats[2], "Different versions of HTTP: quick has HTTP/1.1, wide has HTTP/2.");
    for class in [Traffic::Low, Traffic::Medium] {
        assert!(
            reasons(&comparison, class).starts_with("The models differ: "),
            "{}",
            reasons(&comparison, class)
        );
    }
}

#[test]
fn goodput_under_different_limits_is_not_compared() {
    let part = |target: usize, limits: &str| {
        let mut sweep = example::crossing();
        sweep.targets = vec![sweep.targets.swap_remove(target)];
        sweep.limits = limits.parse().unwrap();
        (format!("{target}.json"), ReportFile::Sweep(Box::new(sweep)))
    };
    let found = candidates(vec![part(0, "ttft_ms_p95=400"), part(1, "ttft_ms_p95=90")]).unwrap();
    let comparison = compare(&found, &Preferences::default()).unwrap();
    assert!(comparison.limits.is_empty());
    assert_eq!(
        comparison.caveats,
        [
            "Different limits: quick has ttft_ms_p95 ≤ 400; wide has ttft_ms_p95 ≤ 90.0. How well targets meet them is \
             not compared."
        ]
    );
    let mut targets = comparison.levels.iter().flat_map(|level| &level.targets);
    assert!(targets.all(|target| target.goodput.is_none()));
    assert!(comparison.targets.iter().all(|target| target.meets_limits_up_to.is_none()));
    assert!(!reasons(&comparison, Traffic::Low).contains("all limits"));
}

#[test]
fn scenario_reports_become_levels_of_one_curve() {
    let report = |load: u32, target: &str| {
        let mut report = crate::results::example::ok();
        report.scenario.target = target.into();
        let level = &example::crossing().targets[0].levels[load.ilog2() as usize];
        (report.load, report.summary, report.sessions) =
            (Some(level.load.clone()), level.summary.clone(), level.sessions.clone());
        (format!("{target}-{load}.json"), ReportFile::Scenario(Box::new(report)))
    };
    let all = vec![report(8, "a"), report(1, "a"), report(1, "b")];
    let found = candidates(all).unwrap();
    let ladder = |candidate: &Candidate| candidate.levels.iter().map(|level| level.at).collect::<Vec<f64>>();
    assert_eq!((found[0].name.as_str(), ladder(&found[0])), ("a", vec![1.0, 8.0]));
    assert_eq!((found[1].name.as_str(), ladder(&found[1])), ("b", vec![1.0]));
    let comparison = compare(&found, &Preferences::default()).unwrap();
    assert_eq!(comparison.levels.len(), 1);
}

#[test]
fn errors_about_what_cannot_be_compared_say_what_to_do() {
    let one = vec![("a.json".to_owned(), ReportFile::Scenario(Box::new(crate::results::example::ok())))];
    let error = compare(&candidates(one).unwrap(), &Preferences::default()).unwrap_err().to_string();
    assert!(error.contains("at least two targets, found 1: name more reports"), "{error}");
    let old = crate::results::Report { load: None, ..crate::results::example::ok() };
    let error = candidates(vec![("old.json".into(), ReportFile::Scenario(Box::new(old)))]).unwrap_err();
    assert!(error.to_string().starts_with("old.json: a version 1 report"), "{error}");
    let made = ReportFile::Comparison(Box::new(crossing()));
    assert!(candidates(vec![("c.json".into(), made)]).unwrap_err().to_string().contains("compared again"));
}

#[test]
fn a_target_without_figures_is_listed_as_not_measured() {
    let mut sweep = example::crossing();
    let mut gone = sweep.targets[0].clone();
    (gone.name, gone.levels, gone.trouble) =
        ("gone".into(), Vec::new(), Some("no Docker daemon answers".into()));
    sweep.targets.push(gone);
    let comparison = compare(&candidates_of(sweep), &Preferences::default()).unwrap();
    assert!(
        reasons(&comparison, Traffic::Low).contains("gone was not measured here: no Docker daemon answers.")
    );
}

#[test]
fn a_level_that_a_target_did_not_run_costs_it_no_points() {
    let mut sweep = example::crossing();
    let mut twin = sweep.targets[0].clone();
    twin.name = "twin".into();
    twin.levels.remove(1);
    sweep.targets.push(twin);
    let costs = ["quick", "wide", "twin"].map(|name| (name.to_owned(), 1.0)).into();
    let comparison =
        compare(&candidates_of(sweep), &Preferences { costs, ..Preferences::default() }).unwrap();
    let low = &comparison.recommendation.classes[0];
    assert_eq!(low.levels, [1.0, 2.0, 4.0]);
    for criterion in [Criterion::Performance, Criterion::Efficiency] {
        assert_eq!(low.scores[&criterion]["twin"], low.scores[&criterion]["quick"], "{criterion:?}");
    }
}

#[test]
fn a_level_where_every_request_fails_scores_nothing() {
    let mut sweep = example::crossing();
    sweep.limits = Limits::default();
    sweep.targets[1] = crate::results::sweep::SweptTarget { name: "wide".into(), ..sweep.targets[0].clone() };
    sweep.targets.iter_mut().flat_map(|target| &mut target.levels).for_each(|level| level.goodput = None);
    let failed = &mut sweep.targets[1].levels[2];
    failed.sessions.clear();
    failed.summary = crate::metrics::summary::Summary { window_s: 1.0, ..Default::default() };
    failed.summary.requests.sent = 16;
    let comparison = compare(&candidates_of(sweep), &Preferences::default()).unwrap();
    let points = &comparison.recommendation.classes[0].scores[&Criterion::Performance];
    assert_eq!(points["quick"], 100.0);
    assert!((points["wide"] - 100.0 * 2.0 / 3.0).abs() < 1e-9, "{points:?}");
}

#[test]
fn a_comparison_survives_the_round_trip() {
    let comparison = crossing();
    let text = serde_json::to_string(&comparison).unwrap();
    let ReportFile::Comparison(back) = crate::results::file::read("c.json", &text).unwrap() else { panic!() };
    assert_eq!(back.levels.len(), comparison.levels.len());
    assert_eq!(advice(&back, Traffic::Low), advice(&comparison, Traffic::Low));
    assert_eq!(reasons(&back, Traffic::Medium), reasons(&comparison, Traffic::Medium));
}

proptest! {
    #[test]
    fn the_order_of_the_targets_changes_nothing(drop in 0..5_usize) {
        let mut sweep = example::crossing();
        sweep.targets.iter_mut().for_each(|target| drop_level(target, drop));
        let there = compare(&candidates_of(sweep.clone()), &Preferences::default()).unwrap();
        sweep.targets.reverse();
        let back = compare(&candidates_of(sweep), &Preferences::default()).unwrap();
        let advice = |comparison: &Comparison| {
            comparison.recommendation.classes.iter().map(|class| class.advice.clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(advice(&there), advice(&back));
        prop_assert_eq!(there.levels.len(), back.levels.len());
        for (one, other) in there.levels.iter().zip(&back.levels) {
            for (one, other) in one.metrics.iter().zip(&other.metrics) {
                prop_assert_eq!(&one.winner, &other.winner);
            }
        }
    }
}

fn drop_level(target: &mut crate::results::sweep::SweptTarget, number: usize) {
    target.levels.remove(number);
}
