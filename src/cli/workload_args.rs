//! The flags that define the workload.

use anyhow::anyhow;

use crate::cli::side_files::conversations;
use crate::cli::words::one_of;
use crate::config::Excerpt;
use crate::load::trace::Trace;
use crate::load::workload::{
    Api, DEFAULT_TOKENS, Prompt, Prompts, Sampling, Synthetic, Workload, WorkloadError, WorkloadSpec,
};

#[derive(Debug, clap::Args)]
pub(crate) struct WorkloadArgs {
    #[arg(long, help = format!("Output tokens to request [default: {DEFAULT_TOKENS}, or the lengths in the trace or the conversations]"))]
    max_tokens: Option<u32>,
    /// Ask the engine to continue past the end-of-sequence token, so that every answer has the requested length.
    #[arg(long)]
    ignore_eos: bool,
    #[arg(long, help = format!("Tokens of each generated prompt, or of each turn [default: {DEFAULT_TOKENS}, or the lengths in the trace]"))]
    input_tokens: Option<u32>,
    /// Send this prompt instead of generated ones, after a line that makes each copy unique.
    #[arg(long, conflicts_with_all = ["input_tokens", "turns"])]
    prompt: Option<String>,
    /// Send the conversations in this ShareGPT file (JSON) instead of generated prompts.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "input_tokens"])]
    sharegpt: Option<String>,
    /// Use only the first N conversations of the --sharegpt file [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "sharegpt")]
    conversations: Option<u32>,
    /// End a --sharegpt conversation before the first turn longer than this; skip it if the very first turn is longer.
    #[arg(long, value_name = "N", default_value_t = Excerpt::default().max_input_tokens,
        value_parser = clap::value_parser!(u32).range(1..), requires = "sharegpt")]
    max_input_tokens: u32,
    /// End a --sharegpt conversation before its total length, answers included, exceeds this many tokens.
    #[arg(long, value_name = "N", default_value_t = Excerpt::default().max_total_tokens,
        value_parser = clap::value_parser!(u32).range(1..), requires = "sharegpt")]
    max_total_tokens: u32,
    /// Maximum turns per conversation; each turn is sent with all earlier ones.
    #[arg(long, default_value_t = 1)]
    turns: u32,
    /// OpenAI API route to use.
    #[arg(long, value_parser = one_of::<Api>(&Api::ALL.map(Api::name)), default_value = Api::default().name())]
    api: Api,
    /// Disable streaming; TTFT, TPOT, and ITL are then unavailable.
    #[arg(long)]
    no_stream: bool,
    /// Sampling temperature [default: the server's].
    #[arg(long, allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Random seed for the prompts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl WorkloadArgs {
    /// `trace` is the load's, which has its own lengths.
    ///
    /// # Errors
    /// If the conversations can't be read, or the rule of [`Workload::new`] that the flags break, and the flag.
    pub(crate) fn workload(&self, trace: Option<&Trace>) -> anyhow::Result<Workload> {
        let prompts = self.prompts(trace)?;
        let default = (!prompts.have_lengths()).then_some(DEFAULT_TOKENS);
        let spec = WorkloadSpec {
            api: self.api,
            stream: !self.no_stream,
            prompts,
            output_tokens: self.max_tokens.or(default),
            ignore_eos: self.ignore_eos,
            seed: self.seed,
            sampling: Sampling { temperature: self.temperature, ..Sampling::default() },
        };
        Workload::new(spec).map_err(flag_error)
    }

    fn prompts(&self, trace: Option<&Trace>) -> anyhow::Result<Prompts> {
        Ok(match (&self.prompt, &self.sharegpt, trace) {
            (Some(prompt), ..) => Prompts::List(vec![Prompt::Text(prompt.clone())]),
            (None, Some(file), _) => {
                Prompts::Conversations(conversations(file, &self.excerpt())?.of(self.turns))
            }
            (None, None, Some(trace)) if self.turns == 1 => Prompts::Trace(match self.input_tokens {
                Some(input_tokens) => trace.with_input_tokens(input_tokens),
                None => trace.clone(),
            }),
            (None, None, _) => Prompts::Synthetic(Synthetic {
                turns: self.turns,
                ..Synthetic::of(self.input_tokens.unwrap_or(DEFAULT_TOKENS))
            }),
        })
    }

    fn excerpt(&self) -> Excerpt {
        Excerpt {
            conversations: self.conversations,
            max_input_tokens: self.max_input_tokens,
            max_total_tokens: self.max_total_tokens,
        }
    }
}

/// Names the flag whose value breaks a rule.
fn flag_error(error: WorkloadError) -> anyhow::Error {
    let flag = match error {
        WorkloadError::NoPrompts | WorkloadError::EmptyPrompt(_) => "--prompt",
        WorkloadError::NoInputTokens | WorkloadError::SharedPrefix(_) => "--input-tokens",
        WorkloadError::NoTurns => "--turns",
        WorkloadError::NoOutputTokens | WorkloadError::OutputTokensMissing => "--max-tokens",
        WorkloadError::Temperature(_) | WorkloadError::TopP(_) => "--temperature",
    };
    anyhow!("{flag}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parsed;
    use crate::load::trace::TracedRequest;

    fn args(flags: &str) -> Result<WorkloadArgs, String> {
        parsed(flags)
    }

    #[test]
    fn another_prompt_length_keeps_the_traces_output_lengths() {
        let request = TracedRequest { at_ns: 0, input_tokens: 700, output_tokens: 44, blocks: vec![1, 2] };
        let trace = Trace::new("t.csv", vec![request]);
        let asked = args("--input-tokens 9").unwrap().workload(Some(&trace)).unwrap();
        let Prompts::Trace(asked_trace) = &asked.prompts else { panic!("a trace's prompts") };
        let asked_request = &asked_trace.requests()[0];
        assert_eq!(
            (asked.output_tokens, asked_request.input_tokens, asked_request.output_tokens),
            (None, 9, 44)
        );
        assert_eq!(args("").unwrap().workload(Some(&trace)).unwrap().prompts, Prompts::Trace(trace));
    }

    #[test]
    fn a_value_that_breaks_a_rule_is_rejected_with_its_flag() {
        for (flag, value) in [
            ("--max-tokens", "0"),
            ("--input-tokens", "0"),
            ("--turns", "0"),
            ("--temperature", "-1"),
            ("--temperature", "nan"),
        ] {
            let refused = args(&format!("{flag} {value}")).unwrap().workload(None).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("{flag}: ")), "{refused}");
        }
    }

    #[test]
    fn flags_for_conversations_require_sharegpt() {
        for flags in ["--conversations 2", "--max-input-tokens 9", "--max-total-tokens 9"] {
            assert!(args(flags).unwrap_err().contains("--sharegpt"), "{flags}");
        }
        let missing = args("--sharegpt no/such.json --conversations 2").unwrap().workload(None).unwrap_err();
        assert!(missing.to_string().starts_with("no/such.json can't be read"), "{missing}");
    }
}
