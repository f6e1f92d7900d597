//! What besides the engine differs between targets, and so may be behind any difference of their figures.

use std::fmt::Display;

use crate::compare::Candidate;
use crate::metrics::summary::Summary;
use crate::target::Environment;
use crate::text::figures;
use crate::verdict::LEAST_SHARE_ENDED_BY_LENGTH;

/// Prompts of the same words that differ by more tokens than this were cut into tokens differently.
const SAME_PROMPTS: f64 = 0.05;

/// In sentences, those first that weigh most.
pub fn caveats(candidates: &[Candidate]) -> Vec<String> {
    let mut caveats = Vec::new();
    caveats.extend(differing(candidates, "models or quantizations", |environment| &environment.model).map(
        |listed| {
            format!(
                "{listed}. What differs below may be the models' doing and not the engines', and a token of one is not \
                 a token of the other."
            )
        },
    ));
    caveats.extend(
        differing(candidates, "machines", |environment| &environment.machine)
            .map(|listed| format!("{listed}.")),
    );
    caveats.extend(
        differing(candidates, "versions of HTTP", |environment| &environment.http_version)
            .map(|listed| format!("{listed}.")),
    );
    caveats.extend(workloads(candidates));
    caveats.extend(limits(candidates));
    caveats.extend(prompts(candidates));
    caveats.extend(candidates.iter().filter_map(early_ends));
    caveats
}

/// `The models differ: a has x, b has y`, if they do.
fn differing<T: PartialEq + Display>(
    candidates: &[Candidate],
    what: &str,
    of: impl Fn(&Environment) -> &T,
) -> Option<String> {
    let reported: Vec<(&str, &T)> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.name.as_str(), of(candidate.environment.as_ref()?))))
        .collect();
    let (_, first) = reported.first()?;
    if reported.iter().all(|(_, other)| other == first) {
        return None;
    }
    let listed: Vec<String> = reported.iter().map(|(name, value)| format!("{name} has {value}")).collect();
    Some(format!("Different {what}: {}", listed.join(", ")))
}

fn workloads(candidates: &[Candidate]) -> Option<String> {
    let first = candidates.first()?;
    let other = candidates.iter().find(|other| other.asked != first.asked)?;
    Some(match other.workload == first.workload {
        true => format!("{} and {} were measured in different runs.", first.name, other.name),
        false => format!(
            "Different workloads: {} was asked {}, {} was asked {}.",
            first.name, first.workload, other.name, other.workload
        ),
    })
}

fn limits(candidates: &[Candidate]) -> Option<String> {
    let first = candidates.first()?;
    if candidates.iter().all(|other| other.limits == first.limits) {
        return None;
    }
    let reported = |candidate: &Candidate| match candidate.limits.is_empty() {
        true => format!("{} has none", candidate.name),
        false => format!("{} has {}", candidate.name, candidate.limits),
    };
    let listed: Vec<String> = candidates.iter().map(reported).collect();
    Some(format!("Different limits: {}. How well they are kept is not compared.", listed.join("; ")))
}

fn prompts(candidates: &[Candidate]) -> Option<String> {
    let reported: Vec<(&str, f64)> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.name.as_str(), prompt_tokens(candidate)?)))
        .collect();
    let least = reported.iter().map(|(_, tokens)| *tokens).reduce(f64::min)?;
    let most = reported.iter().map(|(_, tokens)| *tokens).reduce(f64::max)?;
    if most <= least * (1.0 + SAME_PROMPTS) {
        return None;
    }
    let listed: Vec<String> =
        reported.iter().map(|(name, tokens)| format!("{name} counts {tokens:.0}")).collect();
    Some(format!("Of a prompt's tokens {}: their tokenizers or chat templates differ.", listed.join(", ")))
}

fn prompt_tokens(candidate: &Candidate) -> Option<f64> {
    let whole = Summary::merge(candidate.levels.iter().map(|level| &level.summary));
    let known = whole.input_tokens > 0 && whole.requests.succeeded > 0;
    known.then(|| whole.input_tokens as f64 / whole.requests.succeeded as f64)
}

fn early_ends(candidate: &Candidate) -> Option<String> {
    let whole = Summary::merge(candidate.levels.iter().map(|level| &level.summary));
    let share = whole.share_ended_by_length()?;
    (share < LEAST_SHARE_ENDED_BY_LENGTH).then(|| {
        format!(
            "{} ended {} of its answers before their asked-for length: its throughput and E2E depend on how much it \
             chose to say.",
            candidate.name,
            figures::percent(1.0 - share)
        )
    })
}
