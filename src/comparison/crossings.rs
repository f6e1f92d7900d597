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

/// One level at which both have a figure, and one of them is better.
struct Decided {
    at: f64,
    /// ln of how many times worse the other is than the one.
    odds: f64,
}

fn of_two(one: &Contender, other: &Contender, levels: &[f64], metric: Metric) -> Vec<Crossing> {
    let decided = levels.iter().filter_map(|at| {
        let odds = Odds::of(metric, one.level(*at)?, other.level(*at)?)?;
        (!odds.is_tie()).then(|| Decided { at: *at, odds: odds.times_worse.ln() })
    });
    let decided: Vec<Decided> = decided.collect();
    let switches = decided.windows(2).filter(|two| (two[0].odds > 0.0) != (two[1].odds > 0.0));
    let crossing = |two: &[Decided]| {
        let [last, first] = two else { unreachable!("windows of two") };
        let (before, after) = if last.odds > 0.0 { (one, other) } else { (other, one) };
        Crossing {
            metric,
            before: before.name.clone(),
            up_to: last.at,
            after: after.name.clone(),
            from: first.at,
            at: zero_between(last, first),
        }
    };
    switches.map(crossing).collect()
}

/// Where the odds are even, on a straight line over the logarithm of the load: ladders double.
fn zero_between(last: &Decided, first: &Decided) -> f64 {
    let share = last.odds / (last.odds - first.odds);
    (last.at.ln() + share * (first.at.ln() - last.at.ln())).exp()
}
