//! What an engine is asked: prompts, output length, sampling, and the seed that everything is drawn from.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::load::conversations::Conversations;
use crate::load::trace::Trace;
use crate::text::figures::counted;

/// A workload that can be sent: the only way to one is [`Workload::new`]. It reads like the [`WorkloadSpec`] it was
/// made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload(WorkloadSpec);

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkloadSpec {
    pub api: Api,
    pub stream: bool,
    pub prompts: Prompts,
    /// The number of tokens requested of every answer; `None` if every prompt has its own length.
    pub output_tokens: Option<u32>,
    /// Ask the engine to go on past the end-of-sequence token, so that every answer has the requested length.
    pub ignore_eos: bool,
    pub seed: u64,
    pub sampling: Sampling,
}

/// Tokens of a prompt and of an answer by default.
pub(crate) const DEFAULT_TOKENS: u32 = 128;

/// Why a workload could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum WorkloadError {
    #[error("a workload needs at least 1 prompt")]
    NoPrompts,
    #[error("prompt {} is empty", .0 + 1)]
    EmptyPrompt(usize),
    #[error("a prompt has at least 1 token")]
    NoInputTokens,
    #[error("a shared prefix is 0% to 100% of a prompt, not {}%", .0 * 100.0)]
    SharedPrefix(f64),
    #[error("a conversation has at least 1 turn")]
    NoTurns,
    #[error("an answer has at least 1 token")]
    NoOutputTokens,
    #[error("the length of the answers is missing, and these prompts have none")]
    OutputTokensMissing,
    #[error("a temperature is a number, 0 or more, not {0}")]
    Temperature(f64),
    #[error("top_p is greater than 0 and at most 1, not {0}")]
    TopP(f64),
}

/// Why a workload and a load do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("conversations need users to hold them, and requests that come by the clock have none")]
pub struct NoUsersForConversations;

impl Workload {
    /// # Errors
    /// The first of [`WorkloadSpec::errors`].
    pub fn new(spec: WorkloadSpec) -> Result<Workload, WorkloadError> {
        spec.errors().first().map_or(Ok(()), |error| Err(*error))?;
        Ok(Workload(spec))
    }

    /// Chats with generated prompts that have nothing in common, for lengths that are known to be right.
    ///
    /// # Panics
    /// If one of the lengths is 0.
    pub fn synthetic(input_tokens: u32, output_tokens: u32) -> Workload {
        let spec = WorkloadSpec {
            api: Api::Chat,
            stream: true,
            prompts: Prompts::Synthetic(Synthetic::of(input_tokens)),
            output_tokens: Some(output_tokens),
            ignore_eos: true,
            seed: 1,
            sampling: Sampling::default(),
        };
        Workload::new(spec).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The spec that this was made of, to make another one from.
    pub fn into_spec(self) -> WorkloadSpec {
        self.0
    }

    /// # Errors
    /// If the load has no users, and the workload needs some.
    pub fn check_load(&self, load: &Load) -> Result<(), NoUsersForConversations> {
        if load.is_open() && self.prompts.turns() > 1 { Err(NoUsersForConversations) } else { Ok(()) }
    }
}

impl Deref for Workload {
    type Target = WorkloadSpec;

    fn deref(&self) -> &WorkloadSpec {
        &self.0
    }
}

impl WorkloadSpec {
    /// Everything that keeps this from being a [`Workload`].
    pub fn errors(&self) -> Vec<WorkloadError> {
        let output_tokens = match self.output_tokens {
            Some(0) => Some(WorkloadError::NoOutputTokens),
            None if !self.prompts.have_lengths() => Some(WorkloadError::OutputTokensMissing),
            _ => None,
        };
        let errors = self.sampling.errors().into_iter().chain(output_tokens);
        errors.chain(self.prompts.error()).collect()
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

/// The OpenAI API route to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    #[default]
    Chat,
    Completions,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown API `{0}`")]
pub struct UnknownApi(String);

impl Api {
    pub const ALL: [Api; 2] = [Api::Chat, Api::Completions];

    pub fn name(self) -> &'static str {
        match self {
            Api::Chat => "chat",
            Api::Completions => "completions",
        }
    }
}

impl FromStr for Api {
    type Err = UnknownApi;

    fn from_str(name: &str) -> Result<Api, UnknownApi> {
        Api::ALL.into_iter().find(|api| api.name() == name).ok_or_else(|| UnknownApi(name.to_owned()))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompts {
    List(Vec<Prompt>),
    Synthetic(Synthetic),
    /// Generated prompts with the lengths of a trace, and with as much in common.
    Trace(Trace),
    /// Conversations between people and models.
    Conversations(Conversations),
}

impl Prompts {
    /// Whether they have the lengths of their answers.
    pub fn have_lengths(&self) -> bool {
        matches!(self, Prompts::Trace(_) | Prompts::Conversations(_))
    }

    /// The most turns that a conversation has; a single prompt has one.
    pub fn turns(&self) -> u32 {
        match self {
            Prompts::List(_) | Prompts::Trace(_) => 1,
            Prompts::Synthetic(synthetic) => synthetic.turns,
            Prompts::Conversations(conversations) => conversations.turns,
        }
    }

    fn error(&self) -> Option<WorkloadError> {
        match self {
            Prompts::List(prompts) if prompts.is_empty() => Some(WorkloadError::NoPrompts),
            Prompts::List(prompts) => {
                prompts.iter().position(Prompt::is_empty).map(WorkloadError::EmptyPrompt)
            }
            Prompts::Synthetic(synthetic) => synthetic.error(),
            Prompts::Trace(trace) => trace.requests().is_empty().then_some(WorkloadError::NoPrompts),
            Prompts::Conversations(conversations) if conversations.is_empty() => {
                Some(WorkloadError::NoPrompts)
            }
            Prompts::Conversations(conversations) => {
                (conversations.turns == 0).then_some(WorkloadError::NoTurns)
            }
        }
    }
}

/// Generated prompts of a fixed length, in common words that nearly every tokenizer makes one token of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Synthetic {
    pub input_tokens: u32,
    /// The share of every prompt, from its start, that is the same in all of them.
    pub shared_prefix: f64,
    /// The turns of a conversation; each adds `input_tokens`.
    #[serde(skip_serializing_if = "is_one")]
    pub turns: u32,
}

impl Synthetic {
    /// Single prompts that have nothing in common.
    pub fn of(input_tokens: u32) -> Synthetic {
        Synthetic { input_tokens, shared_prefix: 0.0, turns: 1 }
    }

    fn error(&self) -> Option<WorkloadError> {
        if self.input_tokens == 0 {
            return Some(WorkloadError::NoInputTokens);
        }
        if !(0.0..=1.0).contains(&self.shared_prefix) {
            return Some(WorkloadError::SharedPrefix(self.shared_prefix));
        }
        (self.turns == 0).then_some(WorkloadError::NoTurns)
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

impl Prompt {
    fn is_empty(&self) -> bool {
        match self {
            Prompt::Text(text) => text.trim().is_empty(),
            Prompt::Messages(messages) => messages.is_empty(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    pub role: String,
    pub content: String,
}

/// Passed to the engine unchanged; the engine uses its defaults for the rest.
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

impl Sampling {
    fn errors(&self) -> Vec<WorkloadError> {
        let temperature = self.temperature.filter(|value| !value.is_finite() || *value < 0.0);
        let top_p = self.top_p.filter(|value| !(*value > 0.0 && *value <= 1.0));
        let errors = [temperature.map(WorkloadError::Temperature), top_p.map(WorkloadError::TopP)];
        errors.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::trace::{Trace, TracedRequest};
    use crate::load::{ArrivalProcess, StopCondition};

    fn spec(prompts: Prompts) -> WorkloadSpec {
        WorkloadSpec { prompts, ..Workload::synthetic(9, 8).0 }
    }

    fn synthetic(synthetic: Synthetic) -> Vec<WorkloadError> {
        spec(Prompts::Synthetic(synthetic)).errors()
    }

    #[test]
    fn prompts_have_text_and_turns() {
        let list = |texts: &[&str]| {
            let prompts = texts.iter().map(|text| Prompt::Text((*text).to_owned()));
            spec(Prompts::List(prompts.collect())).errors()
        };
        assert_eq!(list(&["Why?"]), []);
        assert_eq!(list(&[]), [WorkloadError::NoPrompts]);
        assert_eq!(list(&["Why?", " "]), [WorkloadError::EmptyPrompt(1)]);
        assert_eq!(synthetic(Synthetic::of(9)), []);
        assert_eq!(synthetic(Synthetic::of(0)), [WorkloadError::NoInputTokens]);
        assert_eq!(synthetic(Synthetic { turns: 0, ..Synthetic::of(9) }), [WorkloadError::NoTurns]);
        let shared = Synthetic { shared_prefix: 1.5, ..Synthetic::of(9) };
        assert_eq!(synthetic(shared), [WorkloadError::SharedPrefix(1.5)]);
    }

    #[test]
    fn answers_have_a_length_of_their_own_or_of_their_prompts() {
        let prompts = Prompts::Synthetic(Synthetic::of(9));
        let errors = |prompts: &Prompts, output_tokens| {
            WorkloadSpec { output_tokens, ..spec(prompts.clone()) }.errors()
        };
        assert_eq!(errors(&prompts, Some(0)), [WorkloadError::NoOutputTokens]);
        assert_eq!(errors(&prompts, None), [WorkloadError::OutputTokensMissing]);
        let request = TracedRequest { at_ns: 0, input_tokens: 1, output_tokens: 1, blocks: Vec::new() };
        assert_eq!(errors(&Prompts::Trace(Trace::new("t", vec![request])), None), []);
        assert_eq!(errors(&Prompts::Trace(Trace::new("t", vec![])), None), [WorkloadError::NoPrompts]);
    }

    #[test]
    fn every_error_of_a_workload_is_found() {
        let sampling = Sampling { temperature: Some(f64::NAN), top_p: Some(0.0), top_k: None };
        let wrong = WorkloadSpec { sampling, ..spec(Prompts::List(Vec::new())) };
        assert_eq!(wrong.errors().len(), 3);
        assert!(matches!(Workload::new(wrong), Err(WorkloadError::Temperature(_))));
    }

    #[test]
    fn conversations_need_users() {
        let talk = Prompts::Synthetic(Synthetic { turns: 2, ..Synthetic::of(9) });
        let conversation = Workload::new(spec(talk)).unwrap();
        let single = Workload::new(spec(Prompts::Synthetic(Synthetic::of(9)))).unwrap();
        let users = Load::closed(1, StopCondition::Requests(1));
        let rate = Load::open(1.0, ArrivalProcess::Constant, StopCondition::Requests(1));
        assert_eq!(conversation.check_load(&rate), Err(NoUsersForConversations));
        assert!([(&conversation, &users), (&single, &rate)].iter().all(|(w, l)| w.check_load(l).is_ok()));
    }

    #[test]
    fn an_api_is_called_the_same_in_files_and_flags() {
        for api in Api::ALL {
            assert_eq!(serde_json::to_string(&api).unwrap(), format!("\"{}\"", api.name()));
            assert_eq!(api.name().parse(), Ok(api));
        }
        assert!("chats".parse::<Api>().is_err());
    }
}
