//! One line on the terminal that says what is being done right now.

use std::cell::RefCell;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::{Progress, Share};
use crate::launch::Preparation;
use crate::suite::event::Event;

/// Stands wherever the cursor is: the test runner has just written `test chat::users-4::sim ... ` and continues there.
/// That rules out the libraries for this, which own whole lines. Draws nothing where nobody looks: standard error is no
/// terminal, or a test runner captures it.
#[derive(Default)]
pub struct ProgressLine {
    drawing: RefCell<Option<Drawing>>,
}

const REDRAW: Duration = Duration::from_millis(500);

/// Keep the place, and don't go on in the next line at the right edge: it could scroll the place away.
const BEGIN: &str = "\x1b7\x1b[?7l";
/// Erase what is left of the last text, and go back.
const END: &str = "\x1b[K\x1b[?7h\x1b8";
const ERASE: &str = "\x1b[K";

impl ProgressLine {
    pub fn show(&self, event: Event) {
        self.clear();
        let text = match event {
            Event::EngineStarts { target, session } => {
                ProgressText::new(format!("{session}: starting {target}"))
            }
            Event::Preparation(Preparation { target, what, share }) => ProgressText {
                so_far: Box::new(move || done(&share)),
                ..ProgressText::new(format!("{target}: {what}"))
            },
            Event::WarmUp { scenario, session, progress } => ProgressText {
                so_far: Box::new(move || ended(&progress, None)),
                scenario: format!(" ({scenario})"),
                ..ProgressText::new(format!("{session}: warming up"))
            },
            Event::RoundStarts { scenario, session, round, rounds, requests, progress } => ProgressText {
                so_far: Box::new(move || ended(&progress, requests)),
                scenario: format!(" ({scenario})"),
                ..ProgressText::new(format!("{session}: round {round}/{rounds}"))
            },
            Event::Pause => return,
        };
        if is_watched() {
            self.drawing.replace(Some(Drawing::start(text)));
        }
    }

    pub fn clear(&self) {
        if let Some(drawing) = self.drawing.take() {
            drawing.end();
        }
    }
}

/// Says something on a line of its own, whatever is being drawn.
pub fn say_below(text: &str) {
    let erase = if is_watched() { ERASE } else { "" };
    write(&format!("{erase}\n{text}\n"));
}

struct ProgressText {
    doing: String,
    /// How far that is, with a comma before it.
    so_far: Box<dyn Fn() -> String + Send>,
    scenario: String,
    since: Instant,
}

impl ProgressText {
    fn new(doing: String) -> ProgressText {
        ProgressText { doing, so_far: Box::new(String::new), scenario: String::new(), since: Instant::now() }
    }

    /// `session 1: round 1/2, 4/8 requests, 12 s (chat::users-4::sim)`: a narrow terminal cuts off the end.
    fn now(&self) -> String {
        let ProgressText { doing, so_far, scenario, since } = self;
        format!("{doing}{}, {} s{scenario}", so_far(), since.elapsed().as_secs())
    }
}

fn ended(progress: &Progress, of: Option<u32>) -> String {
    let failed = progress.failed.load(Ordering::Relaxed);
    let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let of = of.map_or(String::new(), |requests| format!("/{requests}"));
    format!(", {}{of} requests{failures}", progress.ended.load(Ordering::Relaxed))
}

fn done(share: &Share) -> String {
    share.get().map_or(String::new(), |share| format!(", {:.0} %", share * 100.0))
}

/// A thread that draws until it is told to stop.
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

/// A line that can't be written is not worth ending a measurement for.
fn write(text: &str) {
    let mut terminal = io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

fn is_watched() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_some_and(|terminal| terminal != "dumb")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_round_shows_how_far_it_is_and_what_failed() {
        let progress = Arc::new(Progress::default());
        let shown = progress.clone();
        let text = ProgressText {
            so_far: Box::new(move || ended(&shown, Some(8))),
            scenario: " (chat::users-4::sim)".into(),
            ..ProgressText::new("session 1: round 1/2".into())
        };
        assert_eq!(text.now(), "session 1: round 1/2, 0/8 requests, 0 s (chat::users-4::sim)");
        progress.ended.store(4, Ordering::Relaxed);
        progress.failed.store(1, Ordering::Relaxed);
        assert_eq!(text.now(), "session 1: round 1/2, 4/8 requests, 1 failed, 0 s (chat::users-4::sim)");
    }

    #[test]
    fn a_setup_call_shows_its_share_once_known() {
        let share = Arc::new(Share::default());
        let shown = share.clone();
        let text = ProgressText {
            so_far: Box::new(move || done(&shown)),
            ..ProgressText::new("gpu: pulling qwen3:8b".into())
        };
        assert_eq!(text.now(), "gpu: pulling qwen3:8b, 0 s");
        share.set(0.426);
        assert_eq!(text.now(), "gpu: pulling qwen3:8b, 43 %, 0 s");
    }
}
