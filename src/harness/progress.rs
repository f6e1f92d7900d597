//! One line on the terminal that says what is being done right now.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event::Event;

/// Draws nothing where nobody looks: not on a terminal, or under a test runner that captures the output.
pub struct Progress {
    line: RefCell<Option<ProgressBar>>,
}

const REDRAW: Duration = Duration::from_millis(200);

impl Progress {
    pub fn new() -> Progress {
        Progress { line: RefCell::new(None) }
    }

    pub fn show(&self, event: Event) {
        let mut line = self.line.borrow_mut();
        match event {
            Event::EngineStarts { target, session } => {
                begin(&mut line, format!("{target}: session {session}: starting the engine"), None);
            }
            Event::WarmUp { scenario, session } => {
                begin(&mut line, format!("{scenario}: session {session}: warming up"), None);
            }
            Event::RoundStarts { scenario, session, round, rounds, requests } => {
                begin(&mut line, format!("{scenario}: session {session}: round {round}/{rounds}"), requests);
            }
            Event::RequestEnds => {
                if let Some(line) = line.as_ref() {
                    line.inc(1);
                }
            }
            Event::Pause => clear(&mut line),
        }
    }
}

fn begin(line: &mut Option<ProgressBar>, text: String, requests: Option<u32>) {
    clear(line);
    let bar = ProgressBar::with_draw_target(requests.map(u64::from), ProgressDrawTarget::stderr());
    let template = match requests {
        Some(_) => "{spinner} {msg} [{elapsed}] {pos}/{len} requests",
        None => "{spinner} {msg} [{elapsed}] {pos} requests",
    };
    bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
    bar.set_message(text);
    bar.enable_steady_tick(REDRAW);
    *line = Some(bar);
}

fn clear(line: &mut Option<ProgressBar>) {
    if let Some(bar) = line.take() {
        bar.finish_and_clear();
    }
}
