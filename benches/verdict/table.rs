//! The tables, as text and as JSON.

use serde_json::{Map, Value, json};

use tollgate::internals::Verdict;

use crate::naive::Naive;
use crate::noise::NoiseModel;
use crate::suite::{METRICS, SCENARIOS, THROUGHPUT};
use crate::tally::{Counted, Share};
use crate::{
    Cell, EFFECTS, NaiveRow, NothingOldToRun, Power, SESSIONS_OF_TODAY, STORED_EFFECTS, TTFT_TOLERANCE,
};

pub fn text(noise: &NoiseModel, cells: &[Cell]) -> String {
    let Some(first) = cells.first() else { return String::new() };
    let mut out = format!(
        "{SCENARIOS} scenarios x {METRICS} gates. Noise: standard deviation of throughput between restarts, \
         {} is typical. [95 % interval]\n",
        percent(noise.typical_level),
    );
    let section = |title: &str, head: String, row: &dyn Fn(&Cell) -> String| {
        let mut section = format!("\n{title}\n{:>7} {:>8}   {head}\n", "noise", "requests");
        for cell in cells {
            let noise = percent(cell.level);
            section += format!("{noise:>7} {:>8}   {}", cell.requests, row(cell)).trim_end();
            section.push('\n');
        }
        section
    };
    let unchanged = first.unchanged.suites;
    out += &section(
        &format!("Unchanged engine: suites ({unchanged} per row)"),
        format!("{:<21}{:<21}{:>9}{:>8}{:>8}", "red", "not green", "doubted", "starts", "cost"),
        &|cell| suites(cell),
    );
    out += &section(
        &format!("Unchanged engine: gates ({} per row)", first.unchanged.of_gates(Verdict::Ok).of),
        columns(KINDS.map(|kind| kind.name().to_owned())),
        &|cell| columns(KINDS.map(|kind| interval(cell.unchanged.of_gates(kind)))),
    );
    out += &section(
        &format!(
            "Old engine unavailable, {SESSIONS_OF_TODAY} sessions of today: unchanged suites, and red gates by true loss of throughput"
        ),
        columns(
            ["red", "suspected", &percent(STORED_EFFECTS[0]), &percent(STORED_EFFECTS[1])].map(str::to_owned),
        ),
        &|cell| columns(nothing_old_to_run(cell).map(|(_, share)| interval(share))),
    );
    for (i, power) in first.power.iter().enumerate().step_by(EFFECTS.len()) {
        let tolerance = if power.metric == THROUGHPUT {
            "throughput (tolerance 3 %)".to_owned()
        } else {
            format!("p95 TTFT (tolerance {:.0} %)", power.ttft_tolerance * 100.0)
        };
        let title = format!(
            "True loss in one scenario's {tolerance}: how often its gate is red ({} suites per figure)",
            power.tally.suites
        );
        let of = |cell: &Cell| -> [String; EFFECTS.len()] {
            std::array::from_fn(|e| interval(cell.power[i + e].tally.of_changed(Verdict::Regressed)))
        };
        let head =
            columns(std::array::from_fn::<_, { EFFECTS.len() }, _>(|e| percent(first.power[i + e].share)));
        out += &section(&title, head, &|cell| columns(of(cell)));
    }
    out += &section(
        "Naive gates on one session of today: unchanged suites red / 5 % throughput caught / 10 % p95 caught",
        columns(Naive::ALL.map(|naive| naive.name().replace('_', " "))),
        &|cell| {
            let of = |row: &NaiveRow| [row.unchanged.red(), row.throughput.caught(), row.ttft.caught()];
            let text = |row| of(row).map(|share| percent(share.value())).join(" / ");
            cell.naive.iter().map(|row| format!("{:<28}", text(row))).collect()
        },
    );
    out
}

const KINDS: [Verdict; 4] = [Verdict::Ok, Verdict::Improved, Verdict::Inconclusive, Verdict::Regressed];

fn columns<const N: usize>(texts: [String; N]) -> String {
    texts.iter().map(|text| format!("{text:<28}")).collect()
}

fn suites(cell: &Cell) -> String {
    let tally = &cell.unchanged;
    format!(
        "{:<21}{:<21}{:>9}{:>8.1}{:>7.1}x",
        interval(tally.of_suites(tally.red)),
        interval(tally.of_suites(tally.not_green)),
        percent(tally.doubted().value()),
        tally.mean_starts(),
        tally.cost(),
    )
}

/// The shares, by their names in the JSON.
fn nothing_old_to_run(cell: &Cell) -> [(&'static str, Share); 4] {
    let NothingOldToRun { unchanged, slower } = &cell.nothing_old_to_run;
    let caught = slower.each_ref().map(|tally| tally.of_changed(Verdict::Regressed));
    [
        ("suite_red", unchanged.of_suites(unchanged.red)),
        ("suite_suspected", unchanged.of_suites(unchanged.suspected)),
        ("throughput_10", caught[0]),
        ("throughput_20", caught[1]),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn interval(share: Share) -> String {
    let (low, high) = share.interval();
    format!("{} [{:.1}, {:.1}]", percent(share.value()), low * 100.0, high * 100.0)
}

/// Shares by name for the typical level and the larger session, and all levels with their counts.
pub fn json(noise: &NoiseModel, cells: &[Cell]) -> String {
    let typical: Vec<&Cell> = cells.iter().filter(|cell| cell.level == noise.typical_level).collect();
    let largest = typical.iter().max_by_key(|cell| cell.requests).expect("the typical level is simulated");
    let mut power = Map::new();
    for cell in &typical {
        for row in &cell.power {
            let share = json!(row.tally.of_changed(Verdict::Regressed).value());
            if cell.requests == largest.requests && row.metric == THROUGHPUT {
                power.insert(power_name(row), share.clone());
            }
            power.insert(format!("{}_{}", power_name(row), cell.requests), share);
        }
    }
    let tally = &largest.unchanged;
    let document = json!({
        "scenarios": SCENARIOS,
        "gates_per_scenario": METRICS,
        "noise": largest.level,
        "requests": largest.requests,
        "suites": tally.suites,
        "suite_red": tally.of_suites(tally.red).value(),
        "suite_not_green": tally.of_suites(tally.not_green).value(),
        "ok_when_unchanged": tally.of_gates(Verdict::Ok).value(),
        "power": power,
        "levels": cells.iter().map(cell_json).collect::<Vec<Value>>(),
    });
    let mut text = serde_json::to_string_pretty(&document).expect("shares are numbers");
    text.push('\n');
    text
}

fn power_name(row: &Power) -> String {
    let percent = row.share * 100.0;
    if row.metric == THROUGHPUT {
        format!("throughput_{percent:.0}")
    } else if row.ttft_tolerance == TTFT_TOLERANCE {
        format!("p95_{percent:.0}")
    } else {
        format!("p95_{percent:.0}_tolerance_{:.0}", row.ttft_tolerance * 100.0)
    }
}

fn cell_json(cell: &Cell) -> Value {
    let tally = &cell.unchanged;
    let counted = |share: Share| json!(Counted::from(share));
    let gates: Map<String, Value> = tally
        .gates
        .keys()
        .map(|verdict| (verdict.name().replace(' ', "_"), counted(tally.of_gates(*verdict))))
        .collect();
    let power: Map<String, Value> = cell
        .power
        .iter()
        .map(|row| {
            let figures = json!({
                "red": counted(row.tally.of_changed(Verdict::Regressed)),
                "inconclusive": counted(row.tally.of_changed(Verdict::Inconclusive)),
                "another_gate_red": counted(row.tally.of_suites(row.tally.wrong_gate)),
            });
            (power_name(row), figures)
        })
        .collect();
    let naive: Map<String, Value> = cell
        .naive
        .iter()
        .map(|row| {
            let figures = json!({
                "suite_red": counted(row.unchanged.red()),
                "throughput_5": counted(row.throughput.caught()),
                "p95_10": counted(row.ttft.caught()),
                "sessions_spent": 1.0,
            });
            (row.naive.name().to_owned(), figures)
        })
        .collect();
    let mut fallback: Map<String, Value> =
        nothing_old_to_run(cell).map(|(name, share)| (name.to_owned(), counted(share))).into_iter().collect();
    fallback.insert("sessions_of_today".into(), SESSIONS_OF_TODAY.into());
    json!({
        "noise": cell.level,
        "requests": cell.requests,
        "suite_red": counted(tally.of_suites(tally.red)),
        "suite_not_green": counted(tally.of_suites(tally.not_green)),
        "gates": gates,
        "scenarios_to_proof": counted(tally.doubted()),
        "sessions_spent": tally.cost(),
        "power": power,
        "naive": naive,
        "nothing_old_to_run": fallback,
    })
}
