//! Merges the rounds of several workers into one.

use crate::load::Load;
use crate::metrics::health::ClientHealth;
use crate::metrics::summary::Summary;
use crate::metrics::window::{Cut, Edges, Window};
use crate::results::{Round, Session};
use crate::units::{Clock, Nanos};

/// Merges the workers' rounds with this index, on the first worker's clock. `load` is the load of all workers combined;
/// it is absent in old reports.
pub(super) fn merge(sessions: &[&Session], index: usize, load: Option<&Load>) -> Round {
    let clock = &sessions[0].clock;
    let rounds: Vec<(&Session, &Round)> =
        sessions.iter().filter_map(|session| Some((*session, session.rounds.get(index)?))).collect();
    let parts: Vec<(Window, &Summary)> = rounds
        .iter()
        .filter_map(|(session, round)| {
            Some((on_clock(round.window?, clock, &session.clock)?, &round.summary))
        })
        .collect();
    let (window, cut) = window(&parts, load).unzip();
    let mut health = ClientHealth::default();
    rounds.iter().for_each(|(_, round)| health.merge(&round.health));
    let summary = Summary::merge(rounds.iter().map(|(_, round)| &round.summary));
    let (window_s, cut) = (window.map_or(0.0, Window::seconds), cut.unwrap_or(summary.cut));
    let summary = Summary { window_s, cut, ..summary };
    Round { summary, health, window }
}

/// The window and what is cut: nothing, if the workers' loads were never complete at the same time.
fn window(parts: &[(Window, &Summary)], load: Option<&Load>) -> Option<(Window, Cut)> {
    match common(parts, load) {
        Some(common) => Some((common, cut(parts, common))),
        None => Some((uncut(parts, load)?, Cut::default())),
    }
}

/// The time in which every worker's load was complete. In a closed loop it ends as for a single process: when the first
/// user of any worker finds no request left. An open load has no tail to cut, and without a ramp its window starts with
/// the first request of any worker.
fn common(parts: &[(Window, &Summary)], load: Option<&Load>) -> Option<Window> {
    let windows = || parts.iter().map(|(window, _)| *window);
    let union = windows().reduce(Window::union)?;
    let open = load.filter(|load| load.is_open());
    let whole = |window: Window| match open {
        None => window,
        Some(load) if load.ramp().is_none() => Window { edges: window.edges, ..union },
        Some(_) => Window { end_ns: union.end_ns, ..window },
    };
    let common = windows().map(|window| Some(whole(window))).reduce(|one, other| one?.intersection(other?));
    let common = common.flatten().filter(|common| common.edges != Edges::NeverWhole)?;
    Some(Window { edges: if common == union { union.edges } else { Edges::Cut }, ..common })
}

/// From the start of the first worker to the end of the last, including what the workers cut themselves. Their reports
/// say how long that was, but not how much of it was the ramp.
fn uncut(parts: &[(Window, &Summary)], load: Option<&Load>) -> Option<Window> {
    let is_ramped = load.is_some_and(|load| load.ramp().is_some());
    let whole = |(window, summary): &(Window, &Summary)| {
        let cut_ns = (summary.cut.seconds * 1e9).round() as Nanos;
        let (ramp_ns, tail_ns) = if is_ramped { (cut_ns, 0) } else { (0, cut_ns) };
        let (begin_ns, end_ns) =
            (window.begin_ns.saturating_sub(ramp_ns), window.end_ns.saturating_add(tail_ns));
        Window { begin_ns, end_ns, edges: Edges::NeverWhole }
    };
    parts.iter().map(whole).reduce(Window::union)
}

/// What is cut from all workers' rounds. A worker's report says how much happened in its window but not when, so this
/// assumes an even distribution.
fn cut(parts: &[(Window, &Summary)], whole: Window) -> Cut {
    let mut cut = Cut::default();
    let mut longest_s = 0.0;
    for (window, summary) in parts {
        longest_s = f64::max(longest_s, summary.window_s + summary.cut.seconds);
        let kept = window.intersection(whole).map_or(0.0, |kept| kept.seconds() / window.seconds());
        let add = |sum: &mut f64, all: u64, cut: f64| *sum += cut + (all as f64 - cut) * (1.0 - kept);
        add(&mut cut.requests, summary.requests.succeeded, summary.cut.requests);
        add(&mut cut.input_tokens, summary.input_tokens, summary.cut.input_tokens);
        add(&mut cut.output_tokens, summary.output_tokens, summary.cut.output_tokens);
    }
    Cut { seconds: (longest_s - whole.seconds()).max(0.0), ..cut }
}

fn on_clock(window: Window, clock: &Option<Clock>, of: &Option<Clock>) -> Option<Window> {
    let (clock, of) = (clock.as_ref()?, of.as_ref()?);
    Some(Window {
        begin_ns: clock.translate(of, window.begin_ns),
        end_ns: clock.translate(of, window.end_ns),
        ..window
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Arrival, ArrivalProcess, Open, Ramp, StopCondition};

    const S: u64 = 1_000_000_000;

    /// A round with 3000 tokens, some of them cut.
    fn part(begin_s: u64, end_s: u64, edges: Edges, cut: Cut) -> (Window, Summary) {
        let window = Window { begin_ns: begin_s * S, end_ns: end_s * S, edges };
        (window, Summary { window_s: window.seconds(), output_tokens: 3000, cut, ..Summary::default() })
    }

    /// The start and end of the window in seconds, its edges, and the seconds and tokens cut.
    fn merged(parts: &[(Window, Summary)], load: &Load) -> (u64, u64, Edges, f64, f64) {
        let parts: Vec<(Window, &Summary)> =
            parts.iter().map(|(window, summary)| (*window, summary)).collect();
        let (window, cut) = window(&parts, Some(load)).unwrap();
        (window.begin_ns / S, window.end_ns / S, window.edges, cut.seconds, cut.output_tokens.round())
    }

    fn users() -> Load {
        Load::closed(4, StopCondition::Requests(8))
    }

    fn open(ramp: Option<Ramp>) -> Load {
        let open = Open { rate: 2.0, process: ArrivalProcess::Poisson, ramp, max_in_flight: 8 };
        Load::new(Arrival::Open(open), StopCondition::Requests(8)).unwrap()
    }

    #[test]
    fn a_closed_loops_window_is_the_intersection() {
        let tail = Cut { seconds: 1.0, output_tokens: 200.0, ..Cut::default() };
        let parts = [part(100, 110, Edges::Cut, tail), part(100, 108, Edges::Cut, tail)];
        // The first one keeps 8 of 10 s of its 2800 tokens.
        assert_eq!(merged(&parts, &users()), (100, 108, Edges::Cut, 3.0, 200.0 + 560.0 + 200.0));
    }

    #[test]
    fn workers_with_one_user_each_have_the_tail_of_one_process() {
        let kept = |end_s| part(100, end_s, Edges::Kept, Cut::default());
        assert_eq!(merged(&[kept(110), kept(108)], &users()), (100, 108, Edges::Cut, 2.0, 600.0));
        assert_eq!(merged(&[kept(110), kept(110)], &users()), (100, 110, Edges::Kept, 0.0, 0.0));
    }

    #[test]
    fn without_a_common_window_nothing_is_cut() {
        let tail = Cut { seconds: 1.0, output_tokens: 200.0, ..Cut::default() };
        let first = || part(100, 110, Edges::Cut, tail);
        let apart = [first(), part(110, 120, Edges::Cut, tail)];
        assert_eq!(merged(&apart, &users()), (100, 121, Edges::NeverWhole, 0.0, 0.0));
        let never_whole = [first(), part(101, 109, Edges::NeverWhole, Cut::default())];
        assert_eq!(merged(&never_whole, &users()), (100, 111, Edges::NeverWhole, 0.0, 0.0));
        let ramp = Some(Ramp { from: 1.0, over_ms: 1000, steps: None });
        assert_eq!(merged(&never_whole, &open(ramp)), (99, 110, Edges::NeverWhole, 0.0, 0.0));
    }

    #[test]
    fn only_the_ramp_of_an_open_load_is_cut() {
        let kept = |begin_s, end_s| part(begin_s, end_s, Edges::Kept, Cut::default());
        let parts = [kept(101, 110), kept(100, 112)];
        assert_eq!(merged(&parts, &open(None)), (100, 112, Edges::Kept, 0.0, 0.0));
        let ramp = Some(Ramp { from: 1.0, over_ms: 5000, steps: None });
        let rising = Cut { seconds: 5.0, output_tokens: 200.0, ..Cut::default() };
        let parts = [part(105, 110, Edges::Cut, rising), part(105, 112, Edges::Cut, rising)];
        assert_eq!(merged(&parts, &open(ramp)), (105, 112, Edges::Cut, 5.0, 400.0));
    }
}
