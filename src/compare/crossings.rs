//! Where one target overtakes another.

use crate::compare::Candidate;
use crate::compare::ranking::Ratio;
use crate::metrics::Metric;
use crate::results::comparison::Crossing;

/// The crossings of every pair of targets in every metric. A tie between the levels counts for neither side.
pub(crate) fn crossings(candidates: &[Candidate], levels: &[f64], metrics: &[Metric]) -> Vec<Crossing> {
    let mut found = Vec::new();
    for metric in metrics {
        for (number, one) in candidates.iter().enumerate() {
            for other in &candidates[number + 1..] {
                found.extend(of_two(one, other, levels, *metric));
            }
        }
    }
    found
}

/// One level at which both targets have a figure.
struct Met {
    at: f64,
    /// The logarithm of how many times worse the other target is.
    ratio: f64,
    is_tie: bool,
}

impl Met {
    /// Whether the same side is ahead at both levels.
    fn leads_as(&self, other: &Met) -> bool {
        (self.ratio > 0.0) == (other.ratio > 0.0)
    }
}

fn of_two(one: &Candidate, other: &Candidate, levels: &[f64], metric: Metric) -> Vec<Crossing> {
    let met = levels.iter().filter_map(|at| {
        let ratio = Ratio::of(metric, one.level(*at)?, other.level(*at)?)?;
        Some(Met { at: *at, ratio: ratio.times_worse.ln(), is_tie: ratio.is_tie() })
    });
    let met: Vec<Met> = met.collect();
    let decided: Vec<usize> = (0..met.len()).filter(|number| !met[*number].is_tie).collect();
    let crossing = |two: &[usize]| {
        let between = &met[two[0]..=two[1]];
        let (last, first) = (&met[two[0]], &met[two[1]]);
        // The ties in between may lean toward the other side.
        if last.leads_as(first) {
            return None;
        }
        let at = between.windows(2).find_map(zero_between)?;
        let (before, after) = if last.ratio > 0.0 { (one, other) } else { (other, one) };
        Some(Crossing {
            metric,
            before: before.name.clone(),
            up_to: last.at,
            after: after.name.clone(),
            from: first.at,
            at,
        })
    };
    decided.windows(2).filter_map(crossing).collect()
}

/// Where both are equal, on a straight line over the logarithm of the load, since levels usually double. `None` if one
/// side stays ahead.
fn zero_between(two: &[Met]) -> Option<f64> {
    let [last, first] = two else { return None };
    if last.leads_as(first) {
        return None;
    }
    let share = last.ratio / (last.ratio - first.ratio);
    Some((last.at.ln() + share * (first.at.ln() - last.at.ln())).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::candidates;
    use crate::metrics::summary::Summary;
    use crate::results::file::ReportFile;
    use crate::results::sweep::example;

    /// The crossings of `quick` and `wide`, given their output tokens per second at 1, 2, and 4 users, measured once
    /// each.
    fn crossings_of(per_s: [[u64; 3]; 2]) -> Vec<Crossing> {
        let mut sweep = example::crossing();
        for (target, per_s) in sweep.targets.iter_mut().zip(per_s) {
            target.levels.truncate(per_s.len());
            for (level, output_tokens) in target.levels.iter_mut().zip(per_s) {
                level.sessions.clear();
                level.summary = Summary { window_s: 1.0, output_tokens, ..Summary::default() };
            }
        }
        let candidates = candidates(vec![("sweep.json".into(), ReportFile::Sweep(Box::new(sweep)))]).unwrap();
        crossings(&candidates, &[1.0, 2.0, 4.0], &["output_tokens_per_s".parse().unwrap()])
    }

    #[test]
    fn a_tie_that_leans_to_the_other_side_is_not_a_crossing() {
        assert_eq!(crossings_of([[1200, 1000, 1200], [1000, 1010, 1000]]), []);
    }

    #[test]
    fn curves_that_cross_at_a_tie_cross_once() {
        let found = crossings_of([[1200, 1010, 1000], [1000, 1000, 1200]]);
        let [crossing] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((crossing.before.as_str(), crossing.after.as_str()), ("quick", "wide"));
        assert_eq!((crossing.up_to, crossing.from), (1.0, 4.0));
        assert!((2.0..4.0).contains(&crossing.at), "{crossing:?}");
    }
}
