//! What is asked, as flags.

use clap::builder::NonEmptyStringValueParser;

use crate::cli::side_files::conversations;
use crate::config::{Excerpt, MAX_INPUT_TOKENS, MAX_TOTAL_TOKENS};
use crate::load::trace::Trace;
use crate::load::workload::{Api, Prompt, Prompts, Sampling, Synthetic, Workload};

/// Of a prompt or an answer, where nothing is said.
const TOKENS: u32 = 128;

#[derive(Debug, clap::Args)]
pub struct WorkloadArgs {
    /// Output tokens of every answer; 128, or as many as the trace or the conversations have, if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// Ask the engine to go on past its end-of-sequence token, so that every answer has the same length.
    #[arg(long)]
    ignore_eos: bool,
    /// Tokens of every generated prompt, or of every turn of one; 128, or as many as the trace has, if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    input_tokens: Option<u32>,
    /// This prompt instead of generated ones; before each copy goes a line that makes it unique.
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), conflicts_with_all = ["input_tokens", "turns"])]
    prompt: Option<String>,
    /// Prompts from a JSON file of ShareGPT's form instead of generated ones: what people said to models.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "input_tokens"])]
    sharegpt: Option<String>,
    /// So many conversations from the beginning of the --sharegpt file; all of them, if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "sharegpt")]
    conversations: Option<u32>,
    /// Of --sharegpt, a conversation is asked up to the first turn that says more tokens than this; one that begins
    /// with it is left out.
    #[arg(long, value_name = "N", default_value_t = MAX_INPUT_TOKENS,
        value_parser = clap::value_parser!(u32).range(1..), requires = "sharegpt")]
    max_input_tokens: u32,
    /// The same, where the turn with its answer and all that was said before it has more tokens than this.
    #[arg(long, value_name = "N", default_value_t = MAX_TOTAL_TOKENS,
        value_parser = clap::value_parser!(u32).range(1..), requires = "sharegpt")]
    max_total_tokens: u32,
    /// The most turns of a conversation, each asked with all that was said before it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,
    /// Which of the OpenAI routes is asked.
    #[arg(long, value_enum, default_value_t = Api::Chat)]
    api: Api,
    /// Ask for answers in one piece; then there is no TTFT, TPOT or ITL.
    #[arg(long)]
    no_stream: bool,
    /// Of sampling; the server's own, if not given.
    #[arg(long)]
    temperature: Option<f64>,
    /// What prompts are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl WorkloadArgs {
    /// With a load's trace, which has lengths of its own.
    ///
    /// # Errors
    /// Where the conversations can't be read.
    pub fn workload(&self, trace: Option<&Trace>) -> anyhow::Result<Workload> {
        let prompts = self.prompts(trace)?;
        let output_tokens =
            if prompts.have_lengths() { self.max_tokens } else { self.max_tokens.or(Some(TOKENS)) };
        Ok(Workload {
            api: self.api,
            stream: !self.no_stream,
            prompts,
            output_tokens,
            ignore_eos: self.ignore_eos,
            seed: self.seed,
            sampling: Sampling { temperature: self.temperature, ..Sampling::default() },
        })
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
                ..Synthetic::of(self.input_tokens.unwrap_or(TOKENS))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parsed;
    use crate::load::trace::TracedRequest;

    fn args(flags: &str) -> Result<WorkloadArgs, String> {
        parsed(flags)
    }

    #[test]
    fn prompts_of_another_length_leave_the_answers_those_of_the_trace() {
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
    fn what_is_said_of_conversations_needs_some() {
        for flags in ["--conversations 2", "--max-input-tokens 9", "--max-total-tokens 9"] {
            assert!(args(flags).unwrap_err().contains("--sharegpt"), "{flags}");
        }
        let missing = args("--sharegpt no/such.json --conversations 2").unwrap().workload(None).unwrap_err();
        assert!(missing.to_string().starts_with("no/such.json can't be read"), "{missing}");
    }
}
