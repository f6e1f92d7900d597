//! Continuous batching as a state machine over model time. It reads no clock: whoever drives it says what time it is,
//! and a driver that comes late changes no deadline.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

use crate::record::Nanos;
use crate::target::SimulatorSettings;

/// Names a request between the routes and the batch.
pub type SequenceId = u64;

/// A request as the batch sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub id: SequenceId,
    pub arrived_ns: Nanos,
    pub prompt_tokens: u32,
    /// Where the answer ends; at least 1.
    pub max_tokens: u32,
}

/// One token of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: SequenceId,
    /// Its place in the answer, from 0.
    pub index: u32,
    /// The end of its step in model time.
    pub due_ns: Nanos,
    pub last: bool,
}

/// The scheduler of one simulated engine.
#[derive(Debug)]
pub struct Batch {
    settings: SimulatorSettings,
    jitter: Pcg64,
    warm_ns: Nanos,
    /// In the order in which they get ready.
    waiting: VecDeque<Sequence>,
    running: Vec<Sequence>,
    /// Of the running step.
    step_end_ns: Option<Nanos>,
    /// The end of the last step.
    boundary_ns: Nanos,
}

#[derive(Debug)]
struct Sequence {
    id: SequenceId,
    ready_ns: Nanos,
    /// Not yet prefilled, nor in the running step.
    prompt_left: u32,
    emitted: u32,
    max_tokens: u32,
}

impl Batch {
    /// Two starts of the same settings differ in their jitter; the same start drawn again does not.
    pub fn new(settings: SimulatorSettings, start_number: u64, started_ns: Nanos) -> Batch {
        let seed = settings.seed ^ start_number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let warm_ns = started_ns.saturating_add(nanos(settings.cold_start_ms));
        Batch {
            jitter: Pcg64::seed_from_u64(seed),
            settings,
            warm_ns,
            waiting: VecDeque::new(),
            running: Vec::new(),
            step_end_ns: None,
            boundary_ns: started_ns,
        }
    }

    /// The end of the cold start.
    pub fn warm_ns(&self) -> Nanos {
        self.warm_ns
    }

    /// Queues a request. The base of its prefill begins when it arrives, but not before the engine is warm.
    pub fn arrive(&mut self, arrival: Arrival) {
        let base_ns = nanos(self.settings.prefill_base_ms * self.settings.prefill_scale);
        let ready_ns = arrival.arrived_ns.max(self.warm_ns).saturating_add(base_ns);
        let sequence = Sequence {
            id: arrival.id,
            ready_ns,
            prompt_left: arrival.prompt_tokens,
            emitted: 0,
            max_tokens: arrival.max_tokens,
        };
        let place = self.waiting.partition_point(|other| other.ready_ns <= ready_ns);
        self.waiting.insert(place, sequence);
    }

    /// Forgets a request. A step that runs still takes its time.
    pub fn cancel(&mut self, id: SequenceId) {
        self.waiting.retain(|sequence| sequence.id != id);
        self.running.retain(|sequence| sequence.id != id);
    }

    pub fn running(&self) -> usize {
        self.running.len()
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When something happens next: the running step ends, or the first one starts.
    pub fn next_event_ns(&self) -> Option<Nanos> {
        self.step_end_ns
            .or_else(|| self.waiting.front().map(|sequence| sequence.ready_ns.max(self.boundary_ns)))
    }

    /// Does everything that is due by `now_ns` and returns the tokens that came of it. All requests that arrived by
    /// then have to be known.
    pub fn advance(&mut self, now_ns: Nanos) -> Vec<Token> {
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

    /// One token of every sequence whose prompt is in.
    fn emit(&mut self, due_ns: Nanos, tokens: &mut Vec<Token>) {
        self.running.retain_mut(|sequence| {
            if sequence.prompt_left > 0 {
                return true;
            }
            let index = sequence.emitted;
            sequence.emitted += 1;
            let last = sequence.emitted >= sequence.max_tokens;
            tokens.push(Token { id: sequence.id, index, due_ns, last });
            !last
        });
    }

    fn start_step(&mut self) {
        self.admit();
        if self.running.is_empty() {
            return;
        }
        let prefilled = self.prefill();
        let decoding = self.running.iter().filter(|sequence| sequence.prompt_left == 0).count();
        let step_ms = self.step_ms(prefilled, decoding) * self.jitter_factor();
        self.step_end_ns = Some(self.boundary_ns.saturating_add(nanos(step_ms).max(1)));
    }

    fn admit(&mut self) {
        while self.running.len() < self.settings.max_seqs as usize
            && self.waiting.front().is_some_and(|sequence| sequence.ready_ns <= self.boundary_ns)
        {
            self.running.extend(self.waiting.pop_front());
        }
    }

    /// Takes prompt tokens into the step, the oldest sequence's first, and says how many.
    fn prefill(&mut self) -> u32 {
        let mut budget = self.settings.max_step_tokens;
        for sequence in &mut self.running {
            let chunk = sequence.prompt_left.min(budget);
            sequence.prompt_left -= chunk;
            budget -= chunk;
        }
        self.settings.max_step_tokens - budget
    }

    /// What a step takes before jitter.
    fn step_ms(&self, prefilled: u32, decoding: usize) -> f64 {
        let settings = &self.settings;
        let prefill_ms = f64::from(prefilled) / settings.prefill_tokens_per_s * 1e3 * settings.prefill_scale;
        let decode_ms = match decoding {
            0 => 0.0,
            seqs => {
                let further = (seqs - 1) as f64;
                (settings.decode_step_ms + settings.decode_step_ms_per_seq * further) * settings.decode_scale
            }
        };
        prefill_ms + decode_ms
    }

    fn jitter_factor(&mut self) -> f64 {
        let drawn: f64 = self.jitter.sample(StandardNormal);
        1.0 + self.settings.jitter * drawn.clamp(-3.0, 3.0)
    }
}

fn nanos(ms: f64) -> Nanos {
    (ms * 1e6).round() as Nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    /// Round numbers: 1 ms per 10 prompt tokens, 10 ms a step, 1 ms for every further sequence.
    fn settings() -> SimulatorSettings {
        SimulatorSettings {
            prefill_base_ms: 50.0,
            prefill_tokens_per_s: 10_000.0,
            max_step_tokens: 100,
            decode_step_ms: 10.0,
            decode_step_ms_per_seq: 1.0,
            max_seqs: 4,
            cold_start_ms: 0.0,
            jitter: 0.0,
            ..SimulatorSettings::default()
        }
    }

    fn batch(settings: SimulatorSettings) -> Batch {
        Batch::new(settings, 0, 0)
    }

    fn arrival(id: SequenceId, arrived_ms: Nanos, prompt_tokens: u32, max_tokens: u32) -> Arrival {
        Arrival { id, arrived_ns: arrived_ms * MS, prompt_tokens, max_tokens }
    }

    /// The deadlines of one request's tokens when all of the arrivals are known from the start.
    fn due_ms(batch: &mut Batch, id: SequenceId) -> Vec<Nanos> {
        let tokens = batch.advance(Nanos::MAX / 2);
        tokens.iter().filter(|token| token.id == id).map(|token| token.due_ns / MS).collect()
    }

    #[test]
    fn a_lone_request_pays_its_prefill_then_one_step_per_token() {
        let mut batch = batch(settings());
        batch.arrive(arrival(7, 100, 20, 3));
        assert_eq!(batch.next_event_ns(), Some(150 * MS));
        let tokens = batch.advance(1000 * MS);
        let token = |index, due_ms, last| Token { id: 7, index, due_ns: due_ms * MS, last };
        assert_eq!(tokens, [token(0, 162, false), token(1, 172, false), token(2, 182, true)]);
        assert_eq!((batch.running(), batch.waiting(), batch.next_event_ns()), (0, 0, None));
    }

    #[test]
    fn every_further_sequence_lengthens_the_step() {
        let step_ms = |seqs: u64| {
            let mut batch = batch(settings());
            (0..seqs).for_each(|id| batch.arrive(arrival(id, 0, 1, 3)));
            let due = due_ms(&mut batch, 0);
            due[2] - due[1]
        };
        assert_eq!([step_ms(1), step_ms(2), step_ms(4)], [10, 11, 13]);
    }

    #[test]
    fn requests_beyond_max_seqs_wait_for_a_free_place() {
        let mut batch = batch(SimulatorSettings { max_seqs: 1, ..settings() });
        batch.arrive(arrival(1, 0, 10, 2));
        batch.arrive(arrival(2, 1, 10, 1));
        batch.advance(55 * MS);
        assert_eq!((batch.running(), batch.waiting()), (1, 1));
        assert_eq!(due_ms(&mut batch, 2), [71 + 11]);
    }

    #[test]
    fn a_request_that_gets_ready_during_a_step_joins_at_its_end() {
        let mut batch = batch(settings());
        batch.arrive(arrival(1, 0, 10, 3));
        batch.arrive(arrival(2, 12, 10, 1));
        // The first step is 50–61, the second one 61–71, and 62 is too late for it.
        assert_eq!(due_ms(&mut batch, 2), [71 + 1 + 11]);
    }

    #[test]
    fn a_long_prompt_is_prefilled_in_chunks_while_others_decode() {
        let mut batch = batch(settings());
        batch.arrive(arrival(1, 0, 10, 5));
        batch.arrive(arrival(2, 5, 250, 1));
        let tokens = batch.advance(1000 * MS);
        let due = |id| tokens.iter().filter(|t| t.id == id).map(|t| t.due_ns / MS).collect::<Vec<_>>();
        // Steps with 100 prompt tokens take 10 + 10 ms, that with the last 50 takes 5 + 11 ms.
        assert_eq!(due(1), [61, 81, 101, 117, 127]);
        assert_eq!(due(2), [117]);
    }

    #[test]
    fn a_step_takes_no_more_than_max_step_tokens_of_all_prompts_together() {
        let mut batch = batch(settings());
        batch.arrive(arrival(1, 0, 80, 1));
        batch.arrive(arrival(2, 0, 80, 1));
        let tokens = batch.advance(1000 * MS);
        let due: Vec<_> = tokens.iter().map(|token| (token.id, token.due_ns / MS)).collect();
        assert_eq!(due, [(1, 50 + 10 + 10), (2, 70 + 6 + 10)]);
    }

    #[test]
    fn decode_scale_slows_the_decoding_alone() {
        let mut batch = batch(SimulatorSettings { decode_scale: 2.0, ..settings() });
        batch.arrive(arrival(1, 0, 20, 3));
        assert_eq!(due_ms(&mut batch, 1), [50 + 2 + 20, 92, 112]);
    }

    #[test]
    fn prefill_scale_slows_the_prefill_alone() {
        let mut batch = batch(SimulatorSettings { prefill_scale: 2.0, ..settings() });
        batch.arrive(arrival(1, 0, 20, 3));
        assert_eq!(due_ms(&mut batch, 1), [100 + 4 + 10, 124, 134]);
    }

    #[test]
    fn a_late_wake_up_does_not_shift_later_deadlines() {
        let arrivals: Vec<_> = (0..6).map(|id| arrival(id, 7 * id, 30, 5)).collect();
        let tokens = |wake_ups_ms: &[Nanos]| {
            let mut batch = batch(SimulatorSettings { jitter: 0.1, ..settings() });
            let mut unseen = arrivals.iter().peekable();
            let mut tokens = Vec::new();
            for now_ns in wake_ups_ms.iter().map(|ms| ms * MS) {
                while let Some(arrival) = unseen.next_if(|arrival| arrival.arrived_ns <= now_ns) {
                    batch.arrive(*arrival);
                }
                tokens.extend(batch.advance(now_ns));
            }
            tokens
        };
        let punctual: Vec<Nanos> = (0..1000).collect();
        let expected = tokens(&punctual);
        assert_eq!(expected.len(), 30);
        assert_eq!(tokens(&[0, 63, 64, 99, 131, 1000]), expected);
    }

    #[test]
    fn requests_of_the_cold_start_queue_until_it_is_over() {
        let mut batch = batch(SimulatorSettings { cold_start_ms: 300.0, ..settings() });
        batch.arrive(arrival(1, 10, 10, 1));
        assert_eq!(due_ms(&mut batch, 1), [300 + 50 + 1 + 10]);
    }

    #[test]
    fn a_cancelled_request_frees_its_place() {
        let mut batch = batch(SimulatorSettings { max_seqs: 1, ..settings() });
        batch.arrive(arrival(1, 0, 10, 1000));
        batch.arrive(arrival(2, 0, 10, 1));
        batch.advance(50 * MS);
        batch.cancel(1);
        assert_eq!(batch.running(), 0);
        assert_eq!(due_ms(&mut batch, 2), [61 + 11]);
    }

    #[test]
    fn jitter_differs_between_starts_and_repeats_within_one() {
        let deadlines = |start_number| {
            let settings = SimulatorSettings { jitter: 0.02, ..settings() };
            let mut batch = Batch::new(settings, start_number, 0);
            batch.arrive(arrival(1, 0, 10, 20));
            batch.advance(Nanos::MAX / 2).into_iter().map(|token| token.due_ns).collect::<Vec<_>>()
        };
        assert_eq!(deadlines(1), deadlines(1));
        assert_ne!(deadlines(1), deadlines(2));
    }

    #[test]
    fn jitter_has_the_asked_for_spread() {
        let mut batch = batch(SimulatorSettings { jitter: 0.1, ..settings() });
        batch.arrive(arrival(1, 0, 10, 10_001));
        let due: Vec<_> =
            batch.advance(Nanos::MAX / 2).into_iter().map(|token| token.due_ns as f64).collect();
        let steps: Vec<_> =
            due.windows(2).map(|pair| (pair[1] - pair[0]) / (10.0 * MS as f64) - 1.0).collect();
        let sd = (steps.iter().map(|step| step * step).sum::<f64>() / steps.len() as f64).sqrt();
        assert!((0.095..0.105).contains(&sd), "standard deviation {sd}");
        assert!(steps.iter().all(|step| step.abs() <= 0.3 + 1e-6));
    }
}
