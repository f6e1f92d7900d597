//! How long the engine's work takes, in model time.

use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

use crate::target::SimulatorSettings;
use crate::units::Nanos;

/// Knows what slows an engine down, including what it remembers of earlier requests.
#[derive(Debug)]
pub(crate) struct Cost {
    settings: SimulatorSettings,
    jitter: Pcg64,
    long_prompts: u32,
}

impl Cost {
    /// Two starts with the same settings differ in their jitter; repeating the same start number does not.
    pub(crate) fn new(settings: SimulatorSettings, start_number: u64) -> Cost {
        let seed = settings.seed ^ start_number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Cost { jitter: Pcg64::seed_from_u64(seed), settings, long_prompts: 0 }
    }

    pub(crate) fn cold_start_ns(&self) -> Nanos {
        self.nanos(self.settings.cold_start_ms)
    }

    /// From a request's arrival until it is ready for the batch, if the engine was idle for this long before; `None`
    /// means that it is busy.
    pub(crate) fn base_ns(&self, idle_ns: Option<Nanos>) -> Nanos {
        let settings = &self.settings;
        let asleep = idle_ns.is_some_and(|idle_ns| idle_ns >= self.nanos(settings.wake_after_ms));
        let wake_ms = if asleep { settings.wake_ms } else { 0.0 };
        self.nanos(wake_ms + settings.prefill_base_ms * settings.prefill_scale)
    }

    /// Length of a step with this many prompt tokens and decoding sequences.
    pub(crate) fn step_ns(&mut self, prefilled: u32, decoding: usize) -> Nanos {
        let step_ms = (self.prefill_ms(prefilled) + self.decode_ms(decoding)) * self.jitter_factor();
        self.nanos(step_ms).max(1)
    }

    /// Notes that a prompt has been prefilled.
    pub(crate) fn prefilled(&mut self, prompt_tokens: u32) {
        let limit = self.settings.faults.long_prompt_tokens;
        if limit > 0 && prompt_tokens > limit {
            self.long_prompts += 1;
        }
    }

    fn prefill_ms(&self, tokens: u32) -> f64 {
        f64::from(tokens) / self.settings.prefill_tokens_per_s * 1e3 * self.settings.prefill_scale
    }

    fn decode_ms(&self, seqs: usize) -> f64 {
        let settings = &self.settings;
        let Some(further) = seqs.checked_sub(1) else { return 0.0 };
        let mut step_ms = settings.decode_step_ms + settings.decode_step_ms_per_seq * further as f64;
        if settings.faults.crowd_seqs > 0 {
            let beyond = seqs.saturating_sub(settings.faults.crowd_seqs as usize);
            step_ms += settings.faults.crowd_step_ms_per_seq * beyond as f64;
        }
        step_ms * settings.decode_scale * (1.0 + self.slowdown())
    }

    /// The slowdown that long prompts have left behind.
    fn slowdown(&self) -> f64 {
        let faults = &self.settings.faults;
        let times =
            if faults.long_prompt_slowdown_grows { self.long_prompts } else { self.long_prompts.min(1) };
        faults.long_prompt_slowdown * f64::from(times)
    }

    fn jitter_factor(&mut self) -> f64 {
        let drawn: f64 = self.jitter.sample(StandardNormal);
        1.0 + self.settings.jitter * drawn.clamp(-3.0, 3.0)
    }

    fn nanos(&self, ms: f64) -> Nanos {
        (ms * self.settings.time_scale * 1e6).round() as Nanos
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Faults;

    const MS: Nanos = 1_000_000;

    fn cost(settings: SimulatorSettings) -> Cost {
        Cost::new(settings, 0)
    }

    fn ill(faults: Faults) -> Cost {
        cost(SimulatorSettings { faults, ..settings() })
    }

    /// A decoding step takes 10 ms.
    fn settings() -> SimulatorSettings {
        SimulatorSettings {
            prefill_base_ms: 50.0,
            decode_step_ms: 10.0,
            decode_step_ms_per_seq: 0.0,
            jitter: 0.0,
            ..SimulatorSettings::default()
        }
    }

    #[test]
    fn every_sequence_beyond_crowd_seqs_adds_time() {
        let mut cost = ill(Faults { crowd_seqs: 8, crowd_step_ms_per_seq: 2.0, ..Faults::default() });
        assert_eq!([1, 8, 9, 18].map(|seqs| cost.step_ns(0, seqs)), [10 * MS, 10 * MS, 12 * MS, 30 * MS]);
    }

    #[test]
    fn a_long_prompt_slows_all_later_steps_once() {
        let mut cost =
            ill(Faults { long_prompt_tokens: 100, long_prompt_slowdown: 0.5, ..Faults::default() });
        let mut step_after = |prompt_tokens| {
            cost.prefilled(prompt_tokens);
            cost.step_ns(0, 1)
        };
        assert_eq!([100, 101, 5000, 1].map(&mut step_after), [10 * MS, 15 * MS, 15 * MS, 15 * MS]);
    }

    #[test]
    fn a_growing_slowdown_grows_with_every_long_prompt() {
        let mut cost = ill(Faults {
            long_prompt_tokens: 100,
            long_prompt_slowdown: 0.5,
            long_prompt_slowdown_grows: true,
            ..Faults::default()
        });
        cost.prefilled(101);
        cost.prefilled(102);
        assert_eq!(cost.step_ns(0, 1), 20 * MS);
    }

    #[test]
    fn a_slowdown_leaves_prefill_alone() {
        let mut cost = ill(Faults { long_prompt_tokens: 1, long_prompt_slowdown: 9.0, ..Faults::default() });
        let before_ns = cost.step_ns(2000, 0);
        cost.prefilled(2000);
        assert_eq!(cost.step_ns(2000, 0), before_ns);
    }

    #[test]
    fn only_an_idle_engine_has_to_wake_up() {
        let cost = cost(SimulatorSettings { wake_ms: 300.0, wake_after_ms: 1000.0, ..settings() });
        assert_eq!(cost.base_ns(None), 50 * MS);
        assert_eq!(cost.base_ns(Some(999 * MS)), 50 * MS);
        assert_eq!(cost.base_ns(Some(1000 * MS)), 350 * MS);
    }

    #[test]
    fn the_time_scale_scales_all_times_alike() {
        let usual = SimulatorSettings { wake_ms: 40.0, cold_start_ms: 300.0, ..settings() };
        let mut usual_cost = cost(usual.clone());
        let mut quick_cost = cost(SimulatorSettings { time_scale: 0.1, ..usual });
        let times = |cost: &mut Cost| [cost.cold_start_ns(), cost.base_ns(Some(0)), cost.step_ns(1000, 7)];
        assert_eq!(times(&mut quick_cost), times(&mut usual_cost).map(|ns| ns / 10));
    }
}
