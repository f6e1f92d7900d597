//! Where one target overtakes another.

use crate::comparison::Contender;
use crate::comparison::contest::Odds;
use crate::metric::Metric;
use crate::report::comparison::Crossing;

/// Of every two targets, by every metric. A tie between the levels belongs to neither side.
pub fn crossings(contenders: &[Contender], levels: &[f64], metrics: &[Metric]) -> Vec<Crossing> {
    let mut found = Vec::new();
    for metric in metrics {
        for (number, one) in contenders.iter().enumerate() {
            for other in &contenders[number + 1..] {
                found.extend(of_two(one, other, levels, *metric));
            }
        }
    }
    found
}

/// One level at which both have a figure.
struct Met {
    at: f64,
    /// ln of how many times worse the other is than the one.
    odds: f64,
    is_tie: bool,
}

fn of_two(one: &Contender, other: &Contender, levels: &[f64], metric: Metric) -> Vec<Crossing> {
    let met = levels.iter().filter_map(|at| {
        let odds = Odds::of(metric, one.level(*at)?, other.level(*at)?)?;
        Some(Met { at: *at, odds: odds.times_worse.ln(), is_tie: odds.is_tie() })
    });
    let met: Vec<Met> = met.collect();
    let decided: Vec<usize> = (0..met.len()).filter(|number| !met[*number].is_tie).collect();
    let crossing = |two: &[usize]| {
        let between = &met[two[0]..=two[1]];
        let (last, first) = (&met[two[0]], &met[two[1]]);
        let at = between.windows(2).find_map(zero_between)?;
        let (before, after) = if last.odds > 0.0 { (one, other) } else { (other, one) };
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

/// Where the odds are even, on a straight line over the logarithm of the load: ladders double. `None` where one side stays
/// ahead.
fn zero_between(two: &[Met]) -> Option<f64> {
    let [last, first] = two else { return None };
    if (last.odds > 0.0) == (first.odds > 0.0) {
        return None;
    }
    let share = last.odds / (last.odds - first.odds);
    Some((last.at.ln() + share * (first.at.ln() - last.at.ln())).exp())
}
