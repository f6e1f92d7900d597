//! Differences between targets other than the engine, which may explain any difference in their figures.

use std::fmt::Display;

use crate::compare::Candidate;
use crate::metrics::summary::Summary;
use crate::target::Environment;
use crate::text::figures;
use crate::verdict::LEAST_SHARE_ENDED_BY_LENGTH;

/// If token counts for the same prompts differ by more than this share, the tokenizers or chat templates differ.
const SAME_PROMPTS: f64 = 0.05;

/// One sentence each, the most important first.
pub(crate) fn caveats(candidates: &[Candidate]) -> Vec<String> {
    let mut caveats = Vec::new();
    caveats.extend(differing(candidates, "models or quantizations", |environment| &environment.model).map(
        |listed| {
            format!(
                "{listed}. The differences below may come from the models rather than the engines, and tokens of \
                 different models are not the same unit."
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

/// `Different models: a has x, b has y`, if they differ.
fn differing<T: PartialEq + Display>(
    candidates: &[Candidate],
    what: &str,
    of: impl Fn(&Environment) -> &T,
) -> Option<String> {
    let named: Vec<(&str, &T)> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.name.as_str(), of(candidate.environment.as_ref()?))))
        .collect();
    let (_, first) = named.first()?;
    if named.iter().all(|(_, other)| other == first) {
        return None;
    }
    let listed: Vec<String> = named.iter().map(|(name, value)| format!("{name} has {value}")).collect();
    Some(format!("Different {what}: {}", listed.join(", ")))
}

fn workloads(candidates: &[Candidate]) -> Option<String> {
    let first = candidates.first()?;
    let other = candidates.iter().find(|other| other.asked != first.asked)?;
    Some(if other.workload == first.workload {
        format!("{} and {} were measured in different runs.", first.name, other.name)
    } else {
        format!(
            "Different workloads: {} ran {}; {} ran {}.",
            first.name, first.workload, other.name, other.workload
        )
    })
}

fn limits(candidates: &[Candidate]) -> Option<String> {
    let first = candidates.first()?;
    if candidates.iter().all(|other| other.limits == first.limits) {
        return None;
    }
    let describe = |candidate: &Candidate| {
        if candidate.limits.is_empty() {
            format!("{} has none", candidate.name)
        } else {
            format!("{} has {}", candidate.name, candidate.limits)
        }
    };
    let listed: Vec<String> = candidates.iter().map(describe).collect();
    Some(format!("Different limits: {}. How well targets meet them is not compared.", listed.join("; ")))
}

fn prompts(candidates: &[Candidate]) -> Option<String> {
    let counts: Vec<(&str, f64)> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.name.as_str(), prompt_tokens(candidate)?)))
        .collect();
    let least = counts.iter().map(|(_, tokens)| *tokens).reduce(f64::min)?;
    let most = counts.iter().map(|(_, tokens)| *tokens).reduce(f64::max)?;
    if most <= least * (1.0 + SAME_PROMPTS) {
        return None;
    }
    let listed: Vec<String> =
        counts.iter().map(|(name, tokens)| format!("{name} counts {tokens:.0}")).collect();
    Some(format!(
        "Different numbers of tokens per prompt: {}. Their tokenizers or chat templates differ.",
        listed.join(", ")
    ))
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
            "{} ended {} of its answers before the requested length, so its throughput and E2E depend on how much it \
             chose to generate.",
            candidate.name,
            figures::percent(1.0 - share)
        )
    })
}
