use super::*;
use crate::target::Faults;

const MS: Nanos = 1_000_000;

/// Round numbers: 1 ms per 10 prompt tokens, 10 ms per step, 1 ms for each additional sequence.
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
    Arrival {
        id,
        arrived_ns: arrived_ms * MS,
        prompt_tokens,
        max_tokens,
        ends_early: false,
        stalls_after: None,
    }
}

/// The deadlines of one request's tokens if all arrivals are known from the start.
fn due_ms(batch: &mut Batch, id: SequenceId) -> Vec<Nanos> {
    let tokens = batch.advance(Nanos::MAX / 2);
    tokens.iter().filter(|token| token.id == id).map(|token| token.due_ns / MS).collect()
}

#[test]
fn a_lone_request_takes_its_prefill_and_a_step_per_token() {
    let mut batch = batch(settings());
    batch.arrive(arrival(7, 100, 20, 3));
    assert_eq!(batch.next_event_ns(), Some(150 * MS));
    let tokens = batch.advance(1000 * MS);
    let token = |index, due_ms, last| Token { id: 7, index, due_ns: due_ms * MS, queued_ns: 0, last };
    assert_eq!(tokens, [token(0, 162, false), token(1, 172, false), token(2, 182, true)]);
    assert_eq!((batch.running(), batch.waiting(), batch.next_event_ns()), (0, 0, None));
}

#[test]
fn every_additional_sequence_lengthens_the_step() {
    let step_ms = |seqs: u64| {
        let mut batch = batch(settings());
        (0..seqs).for_each(|id| batch.arrive(arrival(id, 0, 1, 3)));
        let due = due_ms(&mut batch, 0);
        due[2] - due[1]
    };
    assert_eq!([step_ms(1), step_ms(2), step_ms(4)], [10, 11, 13]);
}

#[test]
fn requests_beyond_max_seqs_wait_for_a_free_slot() {
    let mut batch = batch(SimulatorSettings { max_seqs: 1, ..settings() });
    batch.arrive(arrival(1, 0, 10, 2));
    batch.arrive(arrival(2, 1, 10, 1));
    batch.advance(55 * MS);
    assert_eq!((batch.running(), batch.waiting()), (1, 1));
    assert_eq!(due_ms(&mut batch, 2), [71 + 11]);
}

#[test]
fn a_request_joins_the_batch_at_the_end_of_a_step() {
    let mut batch = batch(settings());
    batch.arrive(arrival(1, 0, 10, 3));
    batch.arrive(arrival(2, 12, 10, 1));
    // The first step is 50–61 and the second is 61–71, so 62 is too late for it.
    assert_eq!(due_ms(&mut batch, 2), [71 + 1 + 11]);
}

#[test]
fn a_long_prompt_is_prefilled_in_chunks_while_others_decode() {
    let mut batch = batch(settings());
    batch.arrive(arrival(1, 0, 10, 5));
    batch.arrive(arrival(2, 5, 250, 1));
    let tokens = batch.advance(1000 * MS);
    let due = |id| tokens.iter().filter(|t| t.id == id).map(|t| t.due_ns / MS).collect::<Vec<_>>();
    // Steps with 100 prompt tokens take 10 + 10 ms; the one with the last 50 takes 5 + 11 ms.
    assert_eq!(due(1), [61, 81, 101, 117, 127]);
    assert_eq!(due(2), [117]);
}

#[test]
fn a_step_prefills_at_most_max_step_tokens() {
    let mut batch = batch(settings());
    batch.arrive(arrival(1, 0, 80, 1));
    batch.arrive(arrival(2, 0, 80, 1));
    let tokens = batch.advance(1000 * MS);
    let due: Vec<_> = tokens.iter().map(|token| (token.id, token.due_ns / MS)).collect();
    assert_eq!(due, [(1, 50 + 10 + 10), (2, 70 + 6 + 10)]);
}

#[test]
fn decode_scale_slows_only_decoding() {
    let mut batch = batch(SimulatorSettings { decode_scale: 2.0, ..settings() });
    batch.arrive(arrival(1, 0, 20, 3));
    assert_eq!(due_ms(&mut batch, 1), [50 + 2 + 20, 92, 112]);
}

#[test]
fn prefill_scale_slows_only_prefill() {
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
fn requests_during_a_cold_start_queue_until_its_end() {
    let mut batch = batch(SimulatorSettings { cold_start_ms: 300.0, ..settings() });
    batch.arrive(arrival(1, 10, 10, 1));
    assert_eq!(due_ms(&mut batch, 1), [300 + 50 + 1 + 10]);
}

#[test]
fn a_canceled_request_frees_its_slot() {
    let mut batch = batch(SimulatorSettings { max_seqs: 1, ..settings() });
    batch.arrive(arrival(1, 0, 10, 1000));
    batch.arrive(arrival(2, 0, 10, 1));
    batch.advance(50 * MS);
    batch.cancel(1, 50 * MS);
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
fn jitter_has_the_configured_spread() {
    let mut batch = batch(SimulatorSettings { jitter: 0.1, ..settings() });
    batch.arrive(arrival(1, 0, 10, 10_001));
    let due: Vec<_> = batch.advance(Nanos::MAX / 2).into_iter().map(|token| token.due_ns as f64).collect();
    let steps: Vec<_> = due.windows(2).map(|pair| (pair[1] - pair[0]) / (10.0 * MS as f64) - 1.0).collect();
    let sd = (steps.iter().map(|step| step * step).sum::<f64>() / steps.len() as f64).sqrt();
    assert!((0.095..0.105).contains(&sd), "standard deviation {sd}");
    assert!(steps.iter().all(|step| step.abs() <= 0.3 + 1e-6));
}

#[test]
fn an_idle_engine_has_to_wake_up_but_a_busy_one_does_not() {
    let mut batch = batch(SimulatorSettings { wake_ms: 100.0, ..settings() });
    batch.arrive(arrival(1, 0, 10, 10));
    batch.arrive(arrival(2, 5, 10, 1));
    // The second is ready at 55, the first at 150.
    assert_eq!(batch.next_event_ns(), Some(55 * MS));
}

#[test]
fn a_full_cache_keeps_more_requests_waiting() {
    let mut batch = batch(SimulatorSettings { kv_cache_tokens: 30, ..settings() });
    batch.arrive(arrival(1, 0, 10, 2));
    batch.arrive(arrival(2, 0, 20, 1));
    batch.advance(50 * MS);
    assert_eq!((batch.running(), batch.waiting(), batch.preemptions()), (1, 1, 0));
    // The first one's steps end at 61 and 71.
    assert_eq!(due_ms(&mut batch, 2), [71 + 12]);
    assert_eq!(batch.kv_cache_usage(), 0.0);
}

#[test]
fn a_preempted_request_is_prefilled_again() {
    let mut batch = batch(SimulatorSettings { kv_cache_tokens: 25, ..settings() });
    batch.arrive(arrival(1, 0, 10, 5));
    batch.arrive(arrival(2, 0, 10, 4));
    let tokens = batch.advance(1000 * MS);
    let due = |id| tokens.iter().filter(|t| t.id == id).map(|t| t.due_ns / MS).collect::<Vec<_>>();
    // Both decode at 63 and 74. A third token each would take 26 tokens of cache, so the first continues alone and ends
    // at 104; then 12 tokens are prefilled again.
    assert_eq!(due(1), [63, 74, 84, 94, 104]);
    assert_eq!(due(2), [63, 74, 115, 125]);
    assert_eq!((batch.preemptions(), batch.kv_cache_usage()), (1, 0.0));
}

#[test]
fn a_request_that_never_fits_does_not_block_the_driver() {
    let mut batch = batch(SimulatorSettings { kv_cache_tokens: 5, ..settings() });
    batch.arrive(arrival(1, 0, 10, 1));
    assert_eq!((batch.advance(1000 * MS), batch.next_event_ns()), (Vec::new(), None));
}

#[test]
fn a_stalled_response_keeps_its_slot() {
    let mut batch = batch(SimulatorSettings { max_seqs: 1, ..settings() });
    batch.arrive(Arrival { stalls_after: Some(2), ..arrival(1, 0, 10, 5) });
    batch.arrive(arrival(2, 0, 10, 1));
    assert_eq!(batch.advance(1000 * MS).len(), 2);
    assert_eq!((batch.running(), batch.waiting(), batch.next_event_ns()), (1, 1, None));
    batch.cancel(1, 1000 * MS);
    assert_eq!(due_ms(&mut batch, 2), [1000 + 11]);
}

#[test]
fn a_hanging_engine_stops_all_responses() {
    let faults = Faults { hang_after_requests: 1, ..Faults::default() };
    let mut batch = batch(SimulatorSettings { faults, ..settings() });
    batch.arrive(arrival(1, 0, 10, 100));
    assert_eq!(batch.advance(100 * MS).len(), 4);
    batch.arrive(arrival(2, 100, 10, 1));
    assert_eq!((batch.advance(9999 * MS), batch.next_event_ns()), (Vec::new(), None));
    assert_eq!((batch.running(), batch.waiting()), (1, 1));
}

#[test]
fn a_long_prompt_slows_later_short_ones() {
    let faults = Faults { long_prompt_tokens: 50, long_prompt_slowdown: 1.0, ..Faults::default() };
    let mut batch = batch(SimulatorSettings { faults, ..settings() });
    let mut step_ms = |id, arrived_ms, prompt_tokens| {
        batch.arrive(arrival(id, arrived_ms, prompt_tokens, 3));
        let due = due_ms(&mut batch, id);
        due[2] - due[1]
    };
    assert_eq!([step_ms(1, 0, 50), step_ms(2, 1000, 51), step_ms(3, 2000, 1)], [10, 20, 20]);
}
