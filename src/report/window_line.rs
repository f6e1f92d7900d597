//! Which part of the time rates are taken over, in words.

use crate::results::Report;
use crate::text::figures;

/// `Window: 21.3 s of 22.1 s, in which the load was whole; ramp-up and tail count for no rate.`
pub(super) fn window(report: &Report) -> Option<String> {
    let (window_s, cut_s) = (report.summary.window_s, report.summary.cut.seconds);
    if window_s <= 0.0 {
        return None;
    }
    let seconds = figures::number;
    Some(match cut_s > 0.0 {
        true => format!(
            "Window: {} s of {} s; ramp-up and tail, when the load was not whole, count for no rate.",
            seconds(window_s),
            seconds(window_s + cut_s)
        ),
        false => format!("Window: {} s, nothing cut.", seconds(window_s)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    #[test]
    fn it_tells_what_was_cut() {
        let mut report = example::ok();
        report.summary.window_s = 21.3;
        assert_eq!(window(&report).unwrap(), "Window: 21.3 s, nothing cut.");
        report.summary.cut.seconds = 0.8;
        assert!(window(&report).unwrap().starts_with("Window: 21.3 s of 22.1 s; ramp-up and tail,"));
        report.summary.window_s = 0.0;
        assert_eq!(window(&report), None);
    }
}
