//! What is asked, as flags.

use clap::builder::NonEmptyStringValueParser;

use crate::cli::side_files::dialogues;
use crate::dialogue::Dialogues;
use crate::trace::Trace;
use crate::workload::{Api, Prompt, Prompts, Sampling, Synthetic, Workload};

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
    #[arg(long, value_name = "FILE", value_parser = dialogues, conflicts_with_all = ["prompt", "input_tokens"])]
    sharegpt: Option<Dialogues>,
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
    pub fn workload(&self, trace: Option<&Trace>) -> Workload {
        let prompts = self.prompts(trace);
        let output_tokens =
            if prompts.have_lengths() { self.max_tokens } else { self.max_tokens.or(Some(TOKENS)) };
        Workload {
            api: self.api,
            stream: !self.no_stream,
            prompts,
            output_tokens,
            ignore_eos: self.ignore_eos,
            seed: self.seed,
            sampling: Sampling { temperature: self.temperature, ..Sampling::default() },
        }
    }

    fn prompts(&self, trace: Option<&Trace>) -> Prompts {
        match (&self.prompt, &self.sharegpt, self.input_tokens, trace) {
            (Some(prompt), ..) => Prompts::List(vec![Prompt::Text(prompt.clone())]),
            (None, Some(dialogues), ..) => Prompts::Dialogues(dialogues.clone().of(self.turns)),
            (None, None, None, Some(trace)) if self.turns == 1 => Prompts::Trace(trace.clone()),
            (None, None, input_tokens, _) => Prompts::Synthetic(Synthetic {
                turns: self.turns,
                ..Synthetic::of(input_tokens.unwrap_or(TOKENS))
            }),
        }
    }
}
