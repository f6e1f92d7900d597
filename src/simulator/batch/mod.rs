//! Continuous batching as a state machine over model time. It reads no clock: the caller passes the time, and a caller
//! that is late shifts no deadline.

mod cost;
mod kv;

use std::collections::VecDeque;

use crate::simulator::batch::cost::Cost;
use crate::simulator::batch::kv::KvCache;
use crate::target::SimulatorSettings;
use crate::units::Nanos;

/// Identifies a request between the routes and the batch.
pub(crate) type SequenceId = u64;

/// A request as the batch sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub id: SequenceId,
    pub arrived_ns: Nanos,
    pub prompt_tokens: u32,
    /// Length of the response; at least 1.
    pub max_tokens: u32,
    /// The model ends the response before the requested length.
    pub ends_early: bool,
    /// No more tokens come after this many, and the response never ends.
    pub stalls_after: Option<u32>,
}

/// One token of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub id: SequenceId,
    /// Its index in the response, from 0.
    pub index: u32,
    /// End of its step in model time.
    pub due_ns: Nanos,
    /// How long its request, once ready, waited for a slot in the batch.
    pub queued_ns: Nanos,
    pub last: bool,
}

/// The scheduler of one simulated engine.
#[derive(Debug)]
pub(crate) struct Batch {
    cost: Cost,
    kv: KvCache,
    max_seqs: usize,
    max_step_tokens: u32,
    hang_after_requests: u32,
    warm_ns: Nanos,
    requests: u32,
    preemptions: u64,
    /// In the order in which they get ready.
    waiting: VecDeque<Sequence>,
    /// In the order in which they were admitted.
    running: Vec<Sequence>,
    /// They keep their slots but produce nothing anymore.
    stalled: Vec<Sequence>,
    /// End of the running step.
    step_end_ns: Option<Nanos>,
    /// End of the last step.
    boundary_ns: Nanos,
}

#[derive(Debug)]
struct Sequence {
    id: SequenceId,
    ready_ns: Nanos,
    /// When it was first admitted.
    admitted_ns: Option<Nanos>,
    prompt_tokens: u32,
    /// Prompt tokens that are neither prefilled nor in the running step.
    prompt_left: u32,
    emitted: u32,
    max_tokens: u32,
    stalls_after: Option<u32>,
    /// Tokens held in the KV cache.
    held_tokens: u64,
}

impl Batch {
    /// Two starts with the same settings differ in their jitter; repeating the same start number does not.
    pub(crate) fn new(settings: SimulatorSettings, start_number: u64, started_ns: Nanos) -> Batch {
        let (max_seqs, max_step_tokens) = (settings.max_seqs as usize, settings.max_step_tokens);
        let hang_after_requests = settings.faults.hang_after_requests;
        let kv = KvCache::new(settings.kv_cache_tokens);
        let cost = Cost::new(settings, start_number);
        Batch {
            warm_ns: started_ns.saturating_add(cost.cold_start_ns()),
            cost,
            kv,
            max_seqs,
            max_step_tokens,
            hang_after_requests,
            requests: 0,
            preemptions: 0,
            waiting: VecDeque::new(),
            running: Vec::new(),
            stalled: Vec::new(),
            step_end_ns: None,
            boundary_ns: started_ns,
        }
    }

    /// End of the cold start.
    pub(crate) fn warm_ns(&self) -> Nanos {
        self.warm_ns
    }

    /// Queues a request. The fixed part of its prefill begins when it arrives, but not before the engine is warm.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        let idle = self.running.is_empty() && self.waiting.is_empty();
        let idle_ns = idle.then(|| arrival.arrived_ns.saturating_sub(self.boundary_ns));
        let ready_ns = arrival.arrived_ns.max(self.warm_ns).saturating_add(self.cost.base_ns(idle_ns));
        let sequence = Sequence {
            id: arrival.id,
            ready_ns,
            admitted_ns: None,
            prompt_tokens: arrival.prompt_tokens,
            prompt_left: arrival.prompt_tokens,
            emitted: 0,
            max_tokens: arrival.max_tokens,
            stalls_after: arrival.stalls_after,
            held_tokens: 0,
        };
        let place = self.waiting.partition_point(|other| other.ready_ns <= ready_ns);
        self.waiting.insert(place, sequence);
        self.requests = self.requests.saturating_add(1);
    }

    /// Removes a request. A running step still takes its time; without one, a request that waits for the slot can't get
    /// it before now.
    pub(crate) fn cancel(&mut self, id: SequenceId, now_ns: Nanos) {
        self.waiting.retain(|sequence| sequence.id != id);
        for sequences in [&mut self.running, &mut self.stalled] {
            for mut gone in sequences.extract_if(.., |sequence| sequence.id == id) {
                gone.leave(&mut self.kv);
            }
        }
        if self.step_end_ns.is_none() && !self.waiting.is_empty() {
            self.boundary_ns = self.boundary_ns.max(now_ns);
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.len() + self.stalled.len()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How often a request was preempted because the KV cache was full.
    pub(crate) fn preemptions(&self) -> u64 {
        self.preemptions
    }

    pub(crate) fn kv_cache_usage(&self) -> f64 {
        self.kv.usage()
    }

    /// Time of the next event: the running step ends, or the first one starts.
    pub(crate) fn next_event_ns(&self) -> Option<Nanos> {
        if self.hangs() {
            return None;
        }
        let first = || self.waiting.front().filter(|sequence| self.has_place_for(sequence));
        self.step_end_ns.or_else(|| first().map(|sequence| sequence.ready_ns.max(self.boundary_ns)))
    }

    /// Does everything that is due by `now_ns` and returns the resulting tokens. All requests that arrived by then must
    /// be known.
    pub(crate) fn advance(&mut self, now_ns: Nanos) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(event_ns) = self.next_event_ns().filter(|event_ns| *event_ns <= now_ns) {
            if self.step_end_ns.take().is_some() {
                self.emit(event_ns, &mut tokens);
            }
            self.boundary_ns = event_ns;
            self.start_step();
        }
        tokens
    }

    fn hangs(&self) -> bool {
        self.hang_after_requests > 0 && self.requests > self.hang_after_requests
    }

    fn has_place_for(&self, sequence: &Sequence) -> bool {
        self.running() < self.max_seqs && self.kv.has_room(sequence.needed_tokens())
    }

    /// Emits one token of every sequence whose prompt is prefilled.
    fn emit(&mut self, due_ns: Nanos, tokens: &mut Vec<Token>) {
        for mut sequence in std::mem::take(&mut self.running) {
            if sequence.prompt_left > 0 {
                self.running.push(sequence);
                continue;
            }
            if sequence.emitted == 0 {
                self.cost.prefilled(sequence.prompt_tokens);
            }
            if sequence.stalls_after == Some(sequence.emitted) {
                self.stalled.push(sequence);
                continue;
            }
            let index = sequence.emitted;
            sequence.emitted += 1;
            let last = sequence.emitted >= sequence.max_tokens;
            tokens.push(Token { id: sequence.id, index, due_ns, queued_ns: sequence.queued_ns(), last });
            if last {
                sequence.leave(&mut self.kv);
            } else {
                self.running.push(sequence);
            }
        }
    }

    fn start_step(&mut self) {
        let preempted = self.make_room();
        if !preempted {
            self.admit();
        }
        if self.running.is_empty() {
            return;
        }
        let prefilled = self.prefill();
        let decoding = self.running.iter().filter(|sequence| sequence.prompt_left == 0).count();
        let step_ns = self.cost.step_ns(prefilled, decoding);
        self.step_end_ns = Some(self.boundary_ns.saturating_add(step_ns));
    }

    /// Makes room for the next token of every running sequence. If there is none, the last sequence goes back to the
    /// queue. Returns whether one did: then there is no room for more sequences either.
    fn make_room(&mut self) -> bool {
        let preemptions = self.preemptions;
        let mut index = 0;
        while index < self.running.len() {
            let sequence = &mut self.running[index];
            let further = sequence.needed_tokens() - sequence.held_tokens;
            if self.kv.take(further) {
                sequence.held_tokens += further;
                index += 1;
            } else {
                self.preempt_last();
            }
        }
        self.preemptions > preemptions
    }

    fn preempt_last(&mut self) {
        let Some(mut sequence) = self.running.pop() else { return };
        sequence.leave(&mut self.kv);
        sequence.prompt_left = sequence.prompt_tokens.saturating_add(sequence.emitted);
        self.waiting.push_front(sequence);
        self.preemptions += 1;
    }

    fn admit(&mut self) {
        while let Some(first) = self.waiting.front()
            && first.ready_ns <= self.boundary_ns
            && self.has_place_for(first)
            && let Some(mut sequence) = self.waiting.pop_front()
        {
            sequence.admitted_ns.get_or_insert(self.boundary_ns);
            sequence.held_tokens = sequence.needed_tokens();
            self.kv.take(sequence.held_tokens);
            self.running.push(sequence);
        }
    }

    /// Adds prompt tokens to the step, the oldest sequence's first, and returns their number.
    fn prefill(&mut self) -> u32 {
        let mut budget = self.max_step_tokens;
        for sequence in &mut self.running {
            let chunk = sequence.prompt_left.min(budget);
            sequence.prompt_left -= chunk;
            budget -= chunk;
        }
        self.max_step_tokens - budget
    }
}

impl Sequence {
    /// Tokens of the KV cache that it needs, including the next token.
    fn needed_tokens(&self) -> u64 {
        u64::from(self.prompt_tokens) + u64::from(self.emitted) + 1
    }

    fn queued_ns(&self) -> Nanos {
        self.admitted_ns.map_or(0, |admitted_ns| admitted_ns - self.ready_ns)
    }

    /// Frees what it holds of the cache.
    fn leave(&mut self, kv: &mut KvCache) {
        kv.give_back(std::mem::take(&mut self.held_tokens));
    }
}

#[cfg(test)]
mod tests;
