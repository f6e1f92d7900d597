//! One line on the terminal that says what is being done right now.

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::event::{Event, Progress};

/// Draws nothing where nobody looks: standard error is no terminal, or a test runner captures it.
#[derive(Default)]
pub struct ProgressLine {
    bar: RefCell<Option<ProgressBar>>,
}

const REDRAW: Duration = Duration::from_millis(200);

impl ProgressLine {
    pub fn show(&self, event: Event) {
        self.clear();
        let bar = match event {
            Event::EngineStarts { target, session } => {
                line(format!("{target}: {session}: starting the engine"), String::new(), None)
            }
            Event::WarmUp { scenario, session, progress } => {
                line(format!("{scenario}: {session}: warming up"), " requests".into(), Some(progress))
            }
            Event::RoundStarts { scenario, session, round, rounds, requests, progress } => {
                let of = requests.map_or(" requests".into(), |requests| format!("/{requests} requests"));
                line(format!("{scenario}: {session}: round {round}/{rounds}"), of, Some(progress))
            }
            Event::Pause => return,
        };
        bar.enable_steady_tick(REDRAW);
        self.bar.replace(Some(bar));
    }

    pub fn clear(&self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn line(text: String, unit: String, progress: Option<Arc<Progress>>) -> ProgressBar {
    let ended = move |_: &ProgressState, out: &mut dyn Write| {
        let Some(progress) = &progress else { return };
        let (ended, failed) =
            (progress.ended.load(Ordering::Relaxed), progress.failed.load(Ordering::Relaxed));
        let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        // A line that can't be written is not worth ending a measurement for.
        let _ = write!(out, "{ended}{unit}{failures}");
    };
    let style = ProgressStyle::with_template("{spinner} {msg} [{elapsed}] {ended}").expect("a constant");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style.with_key("ended", ended));
    bar.set_message(text);
    bar
}
