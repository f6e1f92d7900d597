//! `prompts` of a workload: inline, from a file, or synthetic.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::config::complaint::Complaint;
use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::lines::{Lines, Misread};
use crate::config::sharegpt::{Excerpt, read_conversations};
use crate::config::trace_file::read_trace;
use crate::load::workload::{Api, ChatMessage, Prompt, Prompts, Synthetic};
use crate::units::Percent;

/// The text of a prompt file by its path relative to `perf-tests/`, or why it can't be read.
pub(crate) type PromptLoader<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// The folder that the paths of prompt files are relative to.
pub(crate) const SUITE_FOLDER: &str = "perf-tests";

#[derive(Debug)]
pub(crate) enum PromptsValue {
    Inline(Vec<String>),
    Elsewhere(PromptsTable),
}

/// Where the prompts come from. Set exactly one of these keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct PromptsTable {
    /// A file relative to perf-tests/: .txt with a prompt per line, or .jsonl with {"prompt": "…"} or
    /// {"messages": […]} per line.
    file: Option<String>,
    synthetic: Option<SyntheticTable>,
    sharegpt: Option<ShareGptTable>,
    /// Generated prompts with the lengths and the shared prefixes of a trace: a file relative to perf-tests/, in the
    /// formats of a load's `trace`.
    trace: Option<String>,
}

/// Conversations between people and models, in ShareGPT format.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { file = \"prompts/sharegpt.json\" }")]
struct ShareGptTable {
    /// A JSON file relative to perf-tests/: [{"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", …}]},
    /// …].
    file: String,
    /// Maximum turns per conversation; each turn is sent with all earlier ones.
    #[schemars(range(min = 1), extend("default" = 1))]
    turns: Option<u32>,
    /// Use only this many conversations from the start of the file. Default: all.
    #[schemars(range(min = 1))]
    conversations: Option<u32>,
    /// End a conversation before the first turn longer than this, at four characters per token; skip it if the very
    /// first turn is longer.
    #[schemars(range(min = 1), extend("default" = Excerpt::default().max_input_tokens))]
    max_input_tokens: Option<u32>,
    /// End a conversation before its total length, answers included, exceeds this many tokens.
    #[schemars(range(min = 1), extend("default" = Excerpt::default().max_total_tokens))]
    max_total_tokens: Option<u32>,
}

/// Generated prompts of a fixed length.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { input_tokens = 512 }")]
struct SyntheticTable {
    /// The length of every prompt.
    #[schemars(range(min = 1))]
    input_tokens: u32,
    /// The part of every prompt, from its start, that is the same in all prompts: "50%".
    #[schemars(extend("default" = "0%"))]
    shared_prefix: Option<Percent>,
    /// Turns per conversation, each of `input_tokens` and sent with all earlier ones.
    #[schemars(range(min = 1), extend("default" = 1))]
    turns: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptLine {
    prompt: Option<String>,
    messages: Option<Vec<ChatMessage>>,
}

const AT: [&str; 2] = ["workload", "prompts"];

impl PromptsValue {
    pub(crate) fn resolve(
        &self,
        api: Api,
        document: &Document,
        loader: PromptLoader,
    ) -> Result<Prompts, Vec<ConfigError>> {
        match self {
            PromptsValue::Inline(texts) => {
                Ok(Prompts::List(texts.iter().cloned().map(Prompt::Text).collect()))
            }
            PromptsValue::Elsewhere(table) => table.resolve(api, document, loader),
        }
    }
}

impl PromptsTable {
    fn resolve(
        &self,
        api: Api,
        document: &Document,
        loader: PromptLoader,
    ) -> Result<Prompts, Vec<ConfigError>> {
        match self {
            PromptsTable { file: Some(file), synthetic: None, sharegpt: None, trace: None } => {
                from_file(file, api, document, loader)
            }
            PromptsTable { file: None, synthetic: Some(table), sharegpt: None, trace: None } => {
                Ok(Prompts::Synthetic(table.resolve()))
            }
            PromptsTable { file: None, synthetic: None, sharegpt: Some(table), trace: None } => {
                sharegpt(table, document, loader).map_err(|error| vec![error])
            }
            PromptsTable { file: None, synthetic: None, sharegpt: None, trace: Some(file) } => {
                let (path, text) = side_file(file, &[AT[0], AT[1], "trace"], document, loader)
                    .map_err(|error| vec![error])?;
                read_trace(&path, &text).map(Prompts::Trace)
            }
            _ => Err(vec![
                document
                    .error_at(
                        &AT,
                        "`prompts` needs exactly one of `file`, `synthetic`, `sharegpt` and `trace`",
                    )
                    .help("for example prompts = { synthetic = { input_tokens = 512 } }"),
            ]),
        }
    }
}

/// The path and text of a file that a scenario names.
pub(super) fn side_file(
    file: &str,
    at: &[&str],
    document: &Document,
    loader: PromptLoader,
) -> Result<(String, String), ConfigError> {
    let path = format!("{SUITE_FOLDER}/{file}");
    let text = loader(file).map_err(|reason| {
        document
            .error_at(at, format!("`{file}` can't be read: {reason}"))
            .help(format!("paths are relative to {SUITE_FOLDER}/, so {path} has to exist"))
    })?;
    Ok((path, text))
}

fn sharegpt(
    table: &ShareGptTable,
    document: &Document,
    loader: PromptLoader,
) -> Result<Prompts, ConfigError> {
    let at = |key| [AT[0], AT[1], "sharegpt", key];
    for (key, value) in [
        ("conversations", table.conversations),
        ("max_input_tokens", table.max_input_tokens),
        ("max_total_tokens", table.max_total_tokens),
    ] {
        if value == Some(0) {
            return Err(document.error_at(&at(key), format!("`{key}` must be at least 1")));
        }
    }
    let (path, text) = side_file(&table.file, &at("file"), document, loader)?;
    let usual = Excerpt::default();
    let excerpt = Excerpt {
        conversations: table.conversations,
        max_input_tokens: table.max_input_tokens.unwrap_or(usual.max_input_tokens),
        max_total_tokens: table.max_total_tokens.unwrap_or(usual.max_total_tokens),
    };
    read_conversations(&path, &text, &excerpt)
        .map(|conversations| Prompts::Conversations(conversations.of(table.turns.unwrap_or(1))))
}

impl SyntheticTable {
    fn resolve(&self) -> Synthetic {
        Synthetic {
            input_tokens: self.input_tokens,
            shared_prefix: self.shared_prefix.map_or(0.0, |Percent(share)| share),
            turns: self.turns.unwrap_or(1),
        }
    }
}

fn from_file(
    file: &str,
    api: Api,
    document: &Document,
    loader: PromptLoader,
) -> Result<Prompts, Vec<ConfigError>> {
    let here = |message: String| document.error_at(&[AT[0], AT[1], "file"], message);
    let reader = match file.rsplit_once('.') {
        Some((_, "txt")) => text_lines,
        Some((_, "jsonl")) => json_lines,
        _ => {
            let error = here(format!("prompt file `{file}` is neither .txt nor .jsonl"));
            let help = "in a .txt every line is a prompt; in a .jsonl every line is {\"prompt\": \"…\"}";
            return Err(vec![error.help(help)]);
        }
    };
    let (path, text) =
        side_file(file, &[AT[0], AT[1], "file"], document, loader).map_err(|error| vec![error])?;
    let prompts = reader(&path, &text, api)?;
    if prompts.is_empty() {
        return Err(vec![here(format!("prompt file `{file}` has no prompt in it"))]);
    }
    Ok(Prompts::List(prompts))
}

fn text_lines(_: &str, text: &str, _: Api) -> Result<Vec<Prompt>, Vec<ConfigError>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines.map(|line| Prompt::Text(line.to_owned())).collect())
}

fn json_lines(path: &str, text: &str, api: Api) -> Result<Vec<Prompt>, Vec<ConfigError>> {
    Lines::of(path, text).read(usize::MAX, |line| json_line(line, api))
}

fn json_line(line: &str, api: Api) -> Result<Prompt, Misread> {
    let whole = |message: &str, help: &str| {
        Err((0, Complaint { message: message.to_owned(), help: Some(help.to_owned()) }))
    };
    let parsed: PromptLine = serde_json::from_str(line).map_err(|error| Complaint::of_json(&error))?;
    match parsed {
        PromptLine { prompt: Some(text), messages: None } if text.trim().is_empty() => {
            whole("this prompt is empty", "write a prompt or remove the line")
        }
        PromptLine { prompt: Some(text), messages: None } => Ok(Prompt::Text(text)),
        PromptLine { prompt: None, messages: Some(messages) } if messages.is_empty() => {
            whole("`messages` is empty", "give at least one message")
        }
        PromptLine { prompt: None, messages: Some(_) } if api == Api::Completions => {
            whole("`messages` can't be used with api = \"completions\"", "write {\"prompt\": \"…\"}")
        }
        PromptLine { prompt: None, messages: Some(messages) } => Ok(Prompt::Messages(messages)),
        _ => whole(
            "a line needs exactly one of `prompt` and `messages`",
            "for example {\"prompt\": \"Why is the sky blue?\"}",
        ),
    }
}

impl<'de> Deserialize<'de> for PromptsValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PromptsValue, D::Error> {
        struct ArrayOrTable;

        impl<'de> Visitor<'de> for ArrayOrTable {
            type Value = PromptsValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of prompts, or a table such as { synthetic = { input_tokens = 512 } }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<PromptsValue, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(PromptsValue::Inline(texts))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PromptsValue, A::Error> {
                PromptsTable::deserialize(MapAccessDeserializer::new(map)).map(PromptsValue::Elsewhere)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<PromptsValue, E> {
                Err(E::custom(
                    "`prompts`: expected an array or a table, found a string\nwrite prompts = [\"…\"] for one prompt, prompts = { file = \"…\" } for a file",
                ))
            }
        }

        deserializer.deserialize_any(ArrayOrTable)
    }
}

impl JsonSchema for PromptsValue {
    fn schema_name() -> Cow<'static, str> {
        "Prompts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The prompts themselves, or where they come from.",
            "anyOf": [
                { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
                generator.subschema_for::<PromptsTable>(),
            ],
        })
    }
}
