//! Drives the batch in real time, on its own thread.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::simulator::batch::{Arrival, Batch, SequenceId, Token};
use crate::simulator::metrics::Metrics;
use crate::sys::clock;
use crate::units::Nanos;

/// What the routes send to the pacer.
#[derive(Debug)]
pub(crate) enum PacerCommand {
    Arrive(Arrival, UnboundedSender<Token>),
    Cancel(SequenceId),
}

/// Delivers every token to its request when it is due, until all command senders are gone.
pub(crate) struct Pacer {
    batch: Batch,
    commands: Receiver<PacerCommand>,
    metrics: Arc<Mutex<Metrics>>,
    live: HashMap<SequenceId, Live>,
}

/// A request that has not received its last token.
struct Live {
    arrival: Arrival,
    first_token_ns: Nanos,
    last_token_ns: Nanos,
    tokens: UnboundedSender<Token>,
}

impl Live {
    fn finish(&self, token: &Token, metrics: &mut Metrics) {
        let total_ns = token.due_ns - self.arrival.arrived_ns;
        let decode_ns = token.due_ns - self.first_token_ns;
        if self.arrival.ends_early {
            metrics.stopped += 1;
        } else {
            metrics.finished_by_length += 1;
        }
        metrics.prompt_lengths.record_tokens(self.arrival.prompt_tokens);
        metrics.answer_lengths.record_tokens(token.index + 1);
        metrics.e2e_latency.record_ns(total_ns);
        metrics.decode_time.record_ns(decode_ns);
        metrics.inference_time.record_ns(total_ns.saturating_sub(token.queued_ns));
        if token.index > 0 {
            metrics.time_per_output_token.record_ns(decode_ns / Nanos::from(token.index));
        }
    }
}

/// The command senders are gone.
struct PacerClosed;

/// A wait on a channel ends this long before the deadline; a clock wait, which is exact, covers the rest.
const CHANNEL_WAKE_UP_NS: Nanos = 1_000_000;

impl Pacer {
    pub(crate) fn new(batch: Batch, commands: Receiver<PacerCommand>, metrics: Arc<Mutex<Metrics>>) -> Pacer {
        Pacer { batch, commands, metrics, live: HashMap::new() }
    }

    /// Returns once all command senders are gone.
    pub(crate) fn run(mut self) {
        while self.turn().is_ok() {}
    }

    fn turn(&mut self) -> Result<(), PacerClosed> {
        self.wait()?;
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.handle(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(PacerClosed),
            }
        }
        let tokens = self.batch.advance(clock::now());
        self.count(&tokens);
        for token in tokens {
            self.deliver(token);
        }
        Ok(())
    }

    /// Waits until the next event is due or a command arrives.
    fn wait(&mut self) -> Result<(), PacerClosed> {
        let Some(due_ns) = self.batch.next_event_ns() else {
            let command = self.commands.recv().map_err(|_| PacerClosed)?;
            self.handle(command);
            return Ok(());
        };
        let patience_ns = due_ns.saturating_sub(CHANNEL_WAKE_UP_NS).saturating_sub(clock::now());
        if patience_ns > 0 {
            match self.commands.recv_timeout(Duration::from_nanos(patience_ns)) {
                Ok(command) => {
                    self.handle(command);
                    return Ok(());
                }
                Err(RecvTimeoutError::Disconnected) => return Err(PacerClosed),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        clock::sleep_until(due_ns);
        Ok(())
    }

    fn handle(&mut self, command: PacerCommand) {
        match command {
            PacerCommand::Arrive(arrival, tokens) => {
                self.batch.arrive(arrival);
                let arrived_ns = arrival.arrived_ns;
                let live = Live { arrival, first_token_ns: arrived_ns, last_token_ns: arrived_ns, tokens };
                self.live.insert(arrival.id, live);
            }
            PacerCommand::Cancel(id) => {
                self.batch.cancel(id, clock::now());
                if self.live.remove(&id).is_some() {
                    self.metrics.lock().expect("the metrics lock is not poisoned").aborted += 1;
                }
            }
        }
    }

    /// Counts before delivering, so that a client that has its response finds it counted.
    fn count(&mut self, tokens: &[Token]) {
        let mut metrics = self.metrics.lock().expect("the metrics lock is not poisoned");
        metrics.running = self.batch.running();
        metrics.waiting = self.batch.waiting();
        metrics.preemptions = self.batch.preemptions();
        metrics.kv_cache_usage = self.batch.kv_cache_usage();
        metrics.generation_tokens += tokens.len() as u64;
        for token in tokens {
            let Some(live) = self.live.get_mut(&token.id) else { continue };
            let gap_ns = token.due_ns - live.last_token_ns;
            live.last_token_ns = token.due_ns;
            if token.index == 0 {
                live.first_token_ns = token.due_ns;
                metrics.prompt_tokens += u64::from(live.arrival.prompt_tokens);
                metrics.time_to_first_token.record_ns(gap_ns);
                metrics.queue_time.record_ns(token.queued_ns);
                metrics.prefill_time.record_ns(gap_ns.saturating_sub(token.queued_ns));
            } else {
                metrics.inter_token_latency.record_ns(gap_ns);
            }
            if token.last {
                live.finish(token, &mut metrics);
            }
        }
    }

    fn deliver(&mut self, token: Token) {
        if let Some(live) = self.live.get(&token.id) {
            // If a client has just disconnected, a command that cancels its request is on its way.
            let _ = live.tokens.send(token);
        }
        if token.last {
            self.live.remove(&token.id);
        }
    }
}
