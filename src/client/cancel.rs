//! Ends a round early.

use std::sync::Arc;

use tokio::sync::watch;

/// Shared between whatever may end a round (a signal handler) and whatever runs it. Once set, it stays set.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Cancel {
    pub fn new() -> Cancel {
        Cancel(Arc::new(watch::Sender::new(false)))
    }

    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    pub async fn cancelled(&self) {
        // The sender lives as long as this handle, so waiting can't fail.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel::new()
    }
}
