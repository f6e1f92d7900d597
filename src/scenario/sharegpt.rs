//! ShareGPT's conversations, from their JSON.

use serde::Deserialize;

use crate::dialogue::{Dialogues, Turn};
use crate::scenario::error::ConfigError;

#[derive(Deserialize)]
struct Conversation {
    #[serde(alias = "messages")]
    conversations: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(alias = "role")]
    from: String,
    #[serde(alias = "content")]
    value: String,
}

/// A token of English text has about so many characters.
const CHARACTERS_PER_TOKEN: usize = 4;

/// The first conversations of a file. Of each, the turns from the first thing that a human said, as far as human and model
/// take turns and both say something; without such a turn it is left out.
pub fn read_dialogues(path: &str, text: &str, most: usize) -> Result<Dialogues, ConfigError> {
    let read: Vec<Conversation> = serde_json::from_str(text).map_err(|error| {
        let help = "expected [{\"conversations\": [{\"from\": \"human\", \"value\": \"…\"}, {\"from\": \"gpt\", \
                    \"value\": \"…\"}]}]";
        ConfigError::about(path, format!("no conversations as of ShareGPT: {error}")).help(help)
    })?;
    let dialogues = read.iter().map(|conversation| turns(&conversation.conversations));
    let dialogues: Vec<Vec<Turn>> = dialogues.filter(|turns| !turns.is_empty()).take(most).collect();
    if dialogues.is_empty() {
        let message =
            format!("none of its {} conversations begins with a human whom a model answers", read.len());
        return Err(ConfigError::about(path, message));
    }
    Ok(Dialogues::new(path, dialogues))
}

fn turns(said: &[Said]) -> Vec<Turn> {
    let said: Vec<&Said> = said.iter().skip_while(|said| !said.is_human()).collect();
    let pairs = said.chunks_exact(2).take_while(|pair| {
        let has_text = pair.iter().all(|said| !said.value.trim().is_empty());
        has_text && pair[0].is_human() && pair[1].is_model()
    });
    let turns = pairs.map(|pair| Turn {
        said: pair[0].value.clone(),
        answered: pair[1].value.clone(),
        output_tokens: tokens(&pair[1].value),
    });
    turns.collect()
}

impl Said {
    fn is_human(&self) -> bool {
        matches!(self.from.as_str(), "human" | "user")
    }

    fn is_model(&self) -> bool {
        matches!(self.from.as_str(), "gpt" | "chatgpt" | "assistant" | "bard" | "bing")
    }
}

fn tokens(text: &str) -> u32 {
    u32::try_from(text.chars().count().div_ceil(CHARACTERS_PER_TOKEN)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"[
        {"id": "a", "conversations": [
            {"from": "system", "value": "s"},
            {"from": "human", "value": "Why?"},
            {"from": "gpt", "value": "Nine. ché"},
            {"from": "human", "value": "And then?"},
            {"from": "gpt", "value": "No."},
            {"from": "human", "value": "unanswered"}
        ]},
        {"id": "b", "conversations": [{"from": "gpt", "value": "nobody asked"}]},
        {"id": "c", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    ]"#;

    #[test]
    fn turns_are_those_that_were_answered_with_the_answers_length() {
        let dialogues = read_dialogues("f.json", FILE, usize::MAX).unwrap();
        assert_eq!(dialogues.len(), 2);
        let first = dialogues.turns_of(0).unwrap();
        let read: Vec<(&str, u32)> =
            first.iter().map(|turn| (turn.said.as_str(), turn.output_tokens)).collect();
        assert_eq!(read, [("Why?", 3), ("And then?", 1)]);
        assert_eq!(first[0].answered, "Nine. ché");
        assert_eq!(read_dialogues("f.json", FILE, 1).unwrap().len(), 1);
    }

    #[test]
    fn another_file_is_told_with_its_place() {
        let told = |text: &str| read_dialogues("f.json", text, 9).unwrap_err().plain();
        let said = told("[{\"conversations\": 3}]");
        assert!(said.contains("expected a sequence at line 1 column"), "{said}");
        assert!(told("[]").contains("none of its 0 conversations"));
    }
}
