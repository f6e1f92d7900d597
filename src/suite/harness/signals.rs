//! Ctrl-C: the suite ends early, and in order.

use std::process;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::client::Cancel;
use crate::suite::harness::progress::say_below;

/// The first interrupt ends the measuring, so that what was measured is written; the second ends the process.
pub fn cancel_on_interrupt(cancel: &Cancel) {
    let cancel = cancel.clone();
    let watch = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            for attempt in 1.. {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if attempt > 1 {
                    process::exit(super::INTERRUPTED.into());
                }
                say_below("interrupted: writing what was measured (once more to end at once)");
                cancel.cancel();
            }
            Ok::<(), std::io::Error>(())
        })
    };
    thread::spawn(move || {
        if let Err(error) = watch() {
            eprintln!("warning: Ctrl-C won't be handled: {error}");
        }
    });
}
