//! Conversations from a JSON file in ShareGPT's format.

use serde::Deserialize;

use crate::config::error::ConfigError;
use crate::load::conversations::{Conversations, Turn};

#[derive(Deserialize)]
struct Conversation {
    #[serde(alias = "messages")]
    conversations: Vec<ShareGptTurn>,
}

#[derive(Deserialize)]
struct ShareGptTurn {
    #[serde(alias = "role")]
    from: String,
    #[serde(alias = "content")]
    value: String,
}

/// The characters in a token of English text, roughly.
const CHARACTERS_PER_TOKEN: usize = 4;

/// Which of a file's conversations are used, and how much of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excerpt {
    /// This many from the start of the file, or all of them.
    pub conversations: Option<u32>,
    /// The most tokens of a turn.
    pub max_input_tokens: u32,
    /// Maximum total tokens of a conversation up to a turn, including the turn's answer.
    pub max_total_tokens: u32,
}

/// The limits of vLLM's `bench serve`, which uses first turns only.
impl Default for Excerpt {
    fn default() -> Excerpt {
        Excerpt { conversations: None, max_input_tokens: 1024, max_total_tokens: 2048 }
    }
}

/// The first conversations of a file. Each starts with the first human turn and goes on as long as human and model
/// alternate, both say something, and the turn is within the limits. A conversation without such a turn is skipped.
pub(crate) fn read_conversations(
    path: &str,
    text: &str,
    excerpt: &Excerpt,
) -> Result<Conversations, ConfigError> {
    let read: Vec<Conversation> = serde_json::from_str(text).map_err(|error| {
        let help = "expected [{\"conversations\": [{\"from\": \"human\", \"value\": \"…\"}, {\"from\": \"gpt\", \
                    \"value\": \"…\"}]}]";
        ConfigError::about(path, format!("not in ShareGPT's format: {error}")).help(help)
    })?;
    let most = excerpt.conversations.map_or(usize::MAX, |count| count as usize);
    let conversations = read.iter().map(|conversation| excerpt.of(turns(&conversation.conversations)));
    let conversations: Vec<Vec<Turn>> = conversations.filter(|turns| !turns.is_empty()).take(most).collect();
    if conversations.is_empty() {
        let message = format!(
            "none of its {} conversations begins with a human turn of at most {} tokens that a model answers within {} \
             tokens in total",
            read.len(),
            excerpt.max_input_tokens,
            excerpt.max_total_tokens
        );
        return Err(ConfigError::about(path, message));
    }
    Ok(Conversations::new(path, conversations))
}

impl Excerpt {
    fn of(&self, turns: Vec<Turn>) -> Vec<Turn> {
        let mut total_tokens = 0u32;
        let fits = |turn: &Turn| {
            let input_tokens = tokens(&turn.said);
            total_tokens = total_tokens.saturating_add(input_tokens).saturating_add(turn.output_tokens);
            input_tokens <= self.max_input_tokens && total_tokens <= self.max_total_tokens
        };
        turns.into_iter().take_while(fits).collect()
    }
}

fn turns(said: &[ShareGptTurn]) -> Vec<Turn> {
    let said: Vec<&ShareGptTurn> = said.iter().skip_while(|said| !said.is_human()).collect();
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

impl ShareGptTurn {
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
    fn answered_turns_are_read_with_the_lengths_of_their_answers() {
        let conversations = read_conversations("f.json", FILE, &Excerpt::default()).unwrap();
        assert_eq!(conversations.len(), 2);
        let first = conversations.turns_of(0).unwrap();
        let read: Vec<(&str, u32)> =
            first.iter().map(|turn| (turn.said.as_str(), turn.output_tokens)).collect();
        assert_eq!(read, [("Why?", 3), ("And then?", 1)]);
        assert_eq!(first[0].answered, "Nine. ché");
        let one = Excerpt { conversations: Some(1), ..Excerpt::default() };
        assert_eq!(read_conversations("f.json", FILE, &one).unwrap().len(), 1);
    }

    #[test]
    fn a_conversation_stops_at_the_limits() {
        // With their answers: 1 + 3 and 3 + 1 tokens; 1 + 1.
        let turns = |max_input_tokens, max_total_tokens| {
            let excerpt = Excerpt { max_input_tokens, max_total_tokens, conversations: None };
            let read = read_conversations("f.json", FILE, &excerpt).map_err(|error| error.plain())?;
            Ok::<_, String>((0..read.len()).map(|at| read.turns_of(at).unwrap().len()).collect::<Vec<_>>())
        };
        assert_eq!(turns(3, 8), Ok(vec![2, 1]));
        assert_eq!(turns(3, 7), Ok(vec![1, 1]));
        assert_eq!(turns(2, 8), Ok(vec![1, 1]));
        assert_eq!(turns(1, 2), Ok(vec![1]));
        let none = turns(1, 1).unwrap_err();
        assert!(none.contains("at most 1 tokens that a model answers within 1 tokens in total"), "{none}");
    }

    #[test]
    fn a_file_in_another_format_is_rejected() {
        let refusal =
            |text: &str| read_conversations("f.json", text, &Excerpt::default()).unwrap_err().plain();
        let said = refusal("[{\"conversations\": 3}]");
        assert!(said.contains("expected a sequence at line 1 column"), "{said}");
        assert!(refusal("[]").contains("none of its 0 conversations"));
    }
}
