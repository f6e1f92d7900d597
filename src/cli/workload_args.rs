//! What is asked, as flags.

use clap::builder::NonEmptyStringValueParser;

use crate::workload::{Api, Prompt, Prompts, Sampling, Synthetic, Workload};

#[derive(Debug, clap::Args)]
pub struct WorkloadArgs {
    /// Output tokens of every answer.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Ask the engine to go on past its end-of-sequence token, so that every answer has the same length.
    #[arg(long)]
    ignore_eos: bool,
    /// Tokens of every generated prompt.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    input_tokens: u32,
    /// This prompt instead of generated ones; before each copy goes a line that makes it unique.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    prompt: Option<String>,
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
    pub fn workload(&self) -> Workload {
        Workload {
            api: self.api,
            stream: !self.no_stream,
            prompts: match &self.prompt {
                Some(prompt) => Prompts::List(vec![Prompt::Text(prompt.clone())]),
                None => Prompts::Synthetic(Synthetic { input_tokens: self.input_tokens, shared_prefix: 0.0 }),
            },
            output_tokens: self.max_tokens,
            ignore_eos: self.ignore_eos,
            seed: self.seed,
            sampling: Sampling { temperature: self.temperature, ..Sampling::default() },
        }
    }
}
