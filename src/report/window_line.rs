//! Describes the window over which rates are computed.

use crate::results::Report;
use crate::text::figures;

/// `Window: 21.3 s of 22.1 s; rates exclude ramp-up and tail, when the load was incomplete.`
pub(super) fn window(report: &Report) -> Option<String> {
    let (window_s, cut_s) = (report.summary.window_s, report.summary.cut.seconds);
    if window_s <= 0.0 {
        return None;
    }
    let seconds = figures::number;
    Some(if cut_s > 0.0 {
        format!(
            "Window: {} s of {} s; rates exclude ramp-up and tail, when the load was incomplete.",
            seconds(window_s),
            seconds(window_s + cut_s)
        )
    } else {
        format!("Window: {} s, nothing cut.", seconds(window_s))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    #[test]
    fn the_line_says_how_much_was_cut() {
        let mut report = example::ok();
        report.summary.window_s = 21.3;
        assert_eq!(window(&report).unwrap(), "Window: 21.3 s, nothing cut.");
        report.summary.cut.seconds = 0.8;
        assert!(window(&report).unwrap().starts_with("Window: 21.3 s of 22.1 s; rates exclude ramp-up"));
        report.summary.window_s = 0.0;
        assert_eq!(window(&report), None);
    }
}
