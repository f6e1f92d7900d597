//! One line on the terminal that shows what is happening right now.

use std::cell::RefCell;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::{Progress, Share};
use crate::launch::Preparation;
use crate::session::event::Event;

/// Starts at the cursor: the test runner has just printed `test chat::users-4::sim ... ` and will continue there. That
/// rules out progress bar libraries, which own whole lines. Draws nothing if standard error isn't a terminal or a test
/// runner captures it.
#[derive(Default)]
pub(crate) struct ProgressLine {
    drawing: RefCell<Option<Drawing>>,
}

const REDRAW: Duration = Duration::from_millis(500);

/// Save the cursor position, and don't wrap at the right edge: wrapping could scroll that position away.
const BEGIN: &str = "\x1b7\x1b[?7l";
/// Erase the rest of the previous text, and restore the cursor.
const END: &str = "\x1b[K\x1b[?7h\x1b8";
const ERASE: &str = "\x1b[K";

impl ProgressLine {
    pub(crate) fn show(&self, event: Event) {
        self.clear();
        let text = match event {
            Event::EngineStarts { target, session } => {
                ProgressText::new(format!("{session}: starting {target}"))
            }
            Event::Preparation(Preparation { target, what, share }) => ProgressText {
                so_far: Box::new(move || percent_done(&share)),
                ..ProgressText::new(format!("{target}: {what}"))
            },
            Event::WarmUp { scenario, session, progress } => ProgressText {
                so_far: Box::new(move || requests_done(&progress, None)),
                scenario: format!(" ({scenario})"),
                ..ProgressText::new(format!("{session}: warming up"))
            },
            Event::RoundStarts { scenario, session, round, rounds, requests, progress } => ProgressText {
                so_far: Box::new(move || requests_done(&progress, requests)),
                scenario: format!(" ({scenario})"),
                ..ProgressText::new(format!("{session}: round {round}/{rounds}"))
            },
            Event::Pause => return,
        };
        if is_visible() {
            self.drawing.replace(Some(Drawing::start(text)));
        }
    }

    pub(crate) fn clear(&self) {
        if let Some(drawing) = self.drawing.take() {
            drawing.end();
        }
    }
}

/// Prints a line below the progress line.
pub(crate) fn print_below(text: &str) {
    let erase = if is_visible() { ERASE } else { "" };
    write(&format!("{erase}\n{text}\n"));
}

struct ProgressText {
    doing: String,
    /// The progress so far, with a comma before it.
    so_far: Box<dyn Fn() -> String + Send>,
    scenario: String,
    since: Instant,
}

impl ProgressText {
    fn new(doing: String) -> ProgressText {
        ProgressText { doing, so_far: Box::new(String::new), scenario: String::new(), since: Instant::now() }
    }

    /// `session 1: round 1/2, 4/8 requests, 12 s (chat::users-4::sim)`: a narrow terminal cuts the end off.
    fn now(&self) -> String {
        let ProgressText { doing, so_far, scenario, since } = self;
        format!("{doing}{}, {} s{scenario}", so_far(), since.elapsed().as_secs())
    }
}

fn requests_done(progress: &Progress, of: Option<u32>) -> String {
    let failed = progress.failed.load(Ordering::Relaxed);
    let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let of = of.map_or(String::new(), |requests| format!("/{requests}"));
    format!(", {}{of} requests{failures}", progress.ended.load(Ordering::Relaxed))
}

fn percent_done(share: &Share) -> String {
    share.get().map_or(String::new(), |share| format!(", {:.0} %", share * 100.0))
}

/// A thread that redraws until it is stopped.
struct Drawing {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Drawing {
    fn start(text: ProgressText) -> Drawing {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            loop {
                write(&format!("{BEGIN}{}{END}", text.now()));
                if stopped.recv_timeout(REDRAW) != Err(RecvTimeoutError::Timeout) {
                    return write(ERASE);
                }
            }
        });
        Drawing { stop, thread }
    }

    fn end(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

/// Ignores errors: a missing progress line is no reason to abort a measurement.
fn write(text: &str) {
    let mut terminal = io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

fn is_visible() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_some_and(|terminal| terminal != "dumb")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_round_shows_its_progress_and_failures() {
        let progress = Arc::new(Progress::default());
        let shown = progress.clone();
        let text = ProgressText {
            so_far: Box::new(move || requests_done(&shown, Some(8))),
            scenario: " (chat::users-4::sim)".into(),
            ..ProgressText::new("session 1: round 1/2".into())
        };
        assert_eq!(text.now(), "session 1: round 1/2, 0/8 requests, 0 s (chat::users-4::sim)");
        progress.ended.store(4, Ordering::Relaxed);
        progress.failed.store(1, Ordering::Relaxed);
        assert_eq!(text.now(), "session 1: round 1/2, 4/8 requests, 1 failed, 0 s (chat::users-4::sim)");
    }

    #[test]
    fn a_preparation_shows_its_percentage_once_it_is_known() {
        let share = Arc::new(Share::default());
        let shown = share.clone();
        let text = ProgressText {
            so_far: Box::new(move || percent_done(&shown)),
            ..ProgressText::new("gpu: pulling qwen3:8b".into())
        };
        assert_eq!(text.now(), "gpu: pulling qwen3:8b, 0 s");
        share.set(0.426);
        assert_eq!(text.now(), "gpu: pulling qwen3:8b, 43 %, 0 s");
    }
}
