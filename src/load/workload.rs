//! What an engine is asked: prompts, output length, sampling, and the seed everything is drawn from.

use std::fmt;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::conversations::Conversations;
use crate::load::trace::Trace;
use crate::text::figures::counted;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    pub api: Api,
    pub stream: bool,
    pub prompts: Prompts,
    /// How many tokens every answer is asked to have; `None` where every prompt brings its own length.
    pub output_tokens: Option<u32>,
    /// Ask the engine to go on past the end-of-sequence token, so that every answer has the asked-for length.
    pub ignore_eos: bool,
    pub seed: u64,
    pub sampling: Sampling,
}

impl Workload {
    /// A conversation is a user's own.
    pub fn needs_users(&self) -> bool {
        self.prompts.turns() > 1
    }
}

/// `prompts of 128 tokens, answers of 64, seed 1`.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.prompts {
            Prompts::Synthetic(Synthetic { input_tokens, turns: 1, .. }) => {
                write!(f, "prompts of {input_tokens} tokens")?
            }
            Prompts::Synthetic(Synthetic { input_tokens, turns, .. }) => {
                write!(f, "conversations of {turns} turns of {input_tokens} tokens")?
            }
            Prompts::List(prompts) => write!(f, "{}", counted(prompts.len() as u64, "prompt"))?,
            Prompts::Trace(trace) => write!(f, "prompts as long as those of {}", trace.file)?,
            Prompts::Conversations(conversations) => write!(f, "conversations of {}", conversations.file)?,
        }
        match self.output_tokens {
            Some(output_tokens) => write!(f, ", answers of {output_tokens}")?,
            None => write!(f, ", answers as long as theirs")?,
        }
        write!(f, ", seed {}", self.seed)
    }
}

/// Which of the OpenAI routes is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    #[default]
    Chat,
    Completions,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompts {
    List(Vec<Prompt>),
    Synthetic(Synthetic),
    /// Generated ones, as long as those of a trace and as alike.
    Trace(Trace),
    /// What people and models have said to each other.
    #[serde(rename = "dialogues")]
    Conversations(Conversations),
}

impl Prompts {
    /// Whether they say themselves how long their answers are to be.
    pub fn have_lengths(&self) -> bool {
        matches!(self, Prompts::Trace(_) | Prompts::Conversations(_))
    }

    /// The most turns that a conversation has; of a prompt by itself it is one.
    pub fn turns(&self) -> u32 {
        match self {
            Prompts::List(_) | Prompts::Trace(_) => 1,
            Prompts::Synthetic(synthetic) => synthetic.turns,
            Prompts::Conversations(conversations) => conversations.turns,
        }
    }
}

/// Generated prompts of a fixed length, in common words that nearly every tokenizer makes one token of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Synthetic {
    pub input_tokens: u32,
    /// The share of every prompt, from its start, that is the same in all of them.
    pub shared_prefix: f64,
    /// Of a conversation: each turn says as many tokens more.
    #[serde(skip_serializing_if = "is_one")]
    pub turns: u32,
}

impl Synthetic {
    /// Prompts of which none has anything to do with another.
    pub fn of(input_tokens: u32) -> Synthetic {
        Synthetic { input_tokens, shared_prefix: 0.0, turns: 1 }
    }
}

fn is_one(turns: &u32) -> bool {
    *turns == 1
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Prompt {
    Text(String),
    Messages(Vec<ChatMessage>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    pub role: String,
    pub content: String,
}

/// Passed to the engine as it stands; what is not named is the engine's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
}
