//! Ctrl-C: stops the suite early but cleanly.

use std::process;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::client::Cancel;
use crate::suite::harness::progress::print_below;

/// The first interrupt stops measuring and saves the results so far; the second exits at once.
pub(crate) fn cancel_on_interrupt(cancel: &Cancel) {
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
                print_below("interrupted: saving the results so far (press Ctrl-C again to exit at once)");
                cancel.cancel();
            }
            Ok::<(), std::io::Error>(())
        })
    };
    thread::spawn(move || {
        if let Err(error) = watch() {
            eprintln!("warning: can't handle Ctrl-C: {error}");
        }
    });
}
