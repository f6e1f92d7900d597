//! What besides the engine differs between targets, and so may be behind any difference of their figures.

use std::fmt::Display;

use crate::compare::Contender;
use crate::metrics::summary::Summary;
use crate::target::Environment;
use crate::text::figures;
use crate::verdict::LEAST_SHARE_ENDED_BY_LENGTH;

/// Prompts of the same words that differ by more tokens than this were cut into tokens differently.
const SAME_PROMPTS: f64 = 0.05;

/// In sentences, those first that weigh most.
pub fn caveats(contenders: &[Contender]) -> Vec<String> {
    let mut caveats = Vec::new();
    caveats.extend(differing(contenders, "models or quantisations", |environment| &environment.model).map(
        |listed| {
            format!(
                "{listed}. What differs below may be the models' doing and not the engines', and a token of one is not \
                 a token of the other."
            )
        },
    ));
    caveats.extend(
        differing(contenders, "machines", |environment| &environment.machine)
            .map(|listed| format!("{listed}.")),
    );
    caveats.extend(
        differing(contenders, "versions of HTTP", |environment| &environment.http_version)
            .map(|listed| format!("{listed}.")),
    );
    caveats.extend(workloads(contenders));
    caveats.extend(limits(contenders));
    caveats.extend(prompts(contenders));
    caveats.extend(contenders.iter().filter_map(early_ends));
    caveats
}

/// `The models differ: a has x, b has y`, if they do.
fn differing<T: PartialEq + Display>(
    contenders: &[Contender],
    what: &str,
    of: impl Fn(&Environment) -> &T,
) -> Option<String> {
    let told: Vec<(&str, &T)> = contenders
        .iter()
        .filter_map(|contender| Some((contender.name.as_str(), of(contender.environment.as_ref()?))))
        .collect();
    let (_, first) = told.first()?;
    if told.iter().all(|(_, other)| other == first) {
        return None;
    }
    let listed: Vec<String> = told.iter().map(|(name, value)| format!("{name} has {value}")).collect();
    Some(format!("Different {what}: {}", listed.join(", ")))
}

fn workloads(contenders: &[Contender]) -> Option<String> {
    let first = contenders.first()?;
    let other = contenders.iter().find(|other| other.asked != first.asked)?;
    Some(match other.workload == first.workload {
        true => format!("{} and {} were measured in different runs.", first.name, other.name),
        false => format!(
            "Different workloads: {} was asked {}, {} was asked {}.",
            first.name, first.workload, other.name, other.workload
        ),
    })
}

fn limits(contenders: &[Contender]) -> Option<String> {
    let first = contenders.first()?;
    if contenders.iter().all(|other| other.limits == first.limits) {
        return None;
    }
    let told = |contender: &Contender| match contender.limits.is_empty() {
        true => format!("{} has none", contender.name),
        false => format!("{} has {}", contender.name, contender.limits),
    };
    let listed: Vec<String> = contenders.iter().map(told).collect();
    Some(format!("Different limits: {}. How well they are kept is not compared.", listed.join("; ")))
}

fn prompts(contenders: &[Contender]) -> Option<String> {
    let told: Vec<(&str, f64)> = contenders
        .iter()
        .filter_map(|contender| Some((contender.name.as_str(), prompt_tokens(contender)?)))
        .collect();
    let least = told.iter().map(|(_, tokens)| *tokens).reduce(f64::min)?;
    let most = told.iter().map(|(_, tokens)| *tokens).reduce(f64::max)?;
    if most <= least * (1.0 + SAME_PROMPTS) {
        return None;
    }
    let listed: Vec<String> =
        told.iter().map(|(name, tokens)| format!("{name} counts {tokens:.0}")).collect();
    Some(format!("Of a prompt's tokens {}: their tokenizers or chat templates differ.", listed.join(", ")))
}

fn prompt_tokens(contender: &Contender) -> Option<f64> {
    let whole = Summary::merge(contender.levels.iter().map(|level| &level.summary));
    let known = whole.input_tokens > 0 && whole.requests.succeeded > 0;
    known.then(|| whole.input_tokens as f64 / whole.requests.succeeded as f64)
}

fn early_ends(contender: &Contender) -> Option<String> {
    let whole = Summary::merge(contender.levels.iter().map(|level| &level.summary));
    let share = whole.share_ended_by_length()?;
    (share < LEAST_SHARE_ENDED_BY_LENGTH).then(|| {
        format!(
            "{} ended {} of its answers before their asked-for length: its throughput and E2E depend on how much it \
             chose to say.",
            contender.name,
            figures::percent(1.0 - share)
        )
    })
}
