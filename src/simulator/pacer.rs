//! Drives the batch in real time, on a thread of its own.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::clock;
use crate::record::Nanos;
use crate::simulator::batch::{Arrival, Batch, SequenceId, Token};
use crate::simulator::metrics::Metrics;

/// What the routes tell the pacer.
#[derive(Debug)]
pub enum Command {
    Arrive(Arrival, UnboundedSender<Token>),
    Cancel(SequenceId),
}

/// Hands every token to its request when it is due, until all senders of commands are gone.
pub struct Pacer {
    batch: Batch,
    commands: Receiver<Command>,
    metrics: Arc<Mutex<Metrics>>,
    live: HashMap<SequenceId, Live>,
}

/// A request that has not got its last token.
struct Live {
    arrival: Arrival,
    last_token_ns: Nanos,
    tokens: UnboundedSender<Token>,
}

/// The senders of commands are gone.
struct Closed;

/// A wait on a channel ends this long before the deadline; the rest is waited out on the clock, which is exact.
const CHANNEL_WAKE_UP_NS: Nanos = 1_000_000;

impl Pacer {
    pub fn new(batch: Batch, commands: Receiver<Command>, metrics: Arc<Mutex<Metrics>>) -> Pacer {
        Pacer { batch, commands, metrics, live: HashMap::new() }
    }

    /// Returns when all senders of commands are gone.
    pub fn run(mut self) {
        while self.turn().is_ok() {}
    }

    fn turn(&mut self) -> Result<(), Closed> {
        self.wait()?;
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(Closed),
            }
        }
        let tokens = self.batch.advance(clock::now());
        self.count(&tokens);
        for token in tokens {
            self.deliver(token);
        }
        Ok(())
    }

    /// Until the next event is due, or a command comes.
    fn wait(&mut self) -> Result<(), Closed> {
        let Some(due_ns) = self.batch.next_event_ns() else {
            let command = self.commands.recv().map_err(|_| Closed)?;
            self.obey(command);
            return Ok(());
        };
        let patience_ns = due_ns.saturating_sub(CHANNEL_WAKE_UP_NS).saturating_sub(clock::now());
        if patience_ns > 0 {
            match self.commands.recv_timeout(Duration::from_nanos(patience_ns)) {
                Ok(command) => {
                    self.obey(command);
                    return Ok(());
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Closed),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        clock::sleep_until(due_ns);
        Ok(())
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Arrive(arrival, tokens) => {
                self.batch.arrive(arrival);
                let live = Live { arrival, last_token_ns: arrival.arrived_ns, tokens };
                self.live.insert(arrival.id, live);
            }
            Command::Cancel(id) => {
                self.batch.cancel(id, clock::now());
                if self.live.remove(&id).is_some() {
                    self.metrics.lock().expect("no holder of the metrics panics").aborted += 1;
                }
            }
        }
    }

    /// Counts before it delivers: a client that has its answer finds it counted.
    fn count(&mut self, tokens: &[Token]) {
        let mut metrics = self.metrics.lock().expect("no holder of the metrics panics");
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
                metrics.prompt_tokens += u64::from(live.arrival.prompt_tokens);
                metrics.time_to_first_token.record(gap_ns);
            } else {
                metrics.inter_token_latency.record(gap_ns);
            }
            if token.last {
                metrics.finished_by_length += 1;
                metrics.e2e_latency.record(token.due_ns - live.arrival.arrived_ns);
            }
        }
    }

    fn deliver(&mut self, token: Token) {
        if let Some(live) = self.live.get(&token.id) {
            // A request whose client has just left is cancelled by a command that is on its way.
            let _ = live.tokens.send(token);
        }
        if token.last {
            self.live.remove(&token.id);
        }
    }
}
