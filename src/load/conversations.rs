//! Conversations: several turns, each of which is asked with all that was said before.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

use crate::load::workload::{ChatMessage, Prompt};
use crate::text::fingerprint::fingerprint_of_all;

/// Those of a file. What a scenario's hash is taken of has their fingerprint and does not hold them.
#[derive(Clone, Debug, Serialize)]
pub struct Conversations {
    pub file: String,
    /// Of all that was said.
    pub fingerprint: String,
    /// The most turns of one that are asked.
    pub turns: u32,
    #[serde(skip)]
    conversations: Arc<[Vec<Turn>]>,
}

/// What a user says, and what it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    pub said: String,
    /// What later turns take the answer to have been: the client keeps no answers.
    pub answered: String,
    /// The length that is asked for.
    pub output_tokens: u32,
}

/// What one request asks, and what is asked once it has been answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub prompt: Prompt,
    pub output_tokens: u32,
    answered: String,
    then: VecDeque<Turn>,
}

impl Conversations {
    pub fn new(file: &str, conversations: Vec<Vec<Turn>>) -> Conversations {
        Conversations {
            file: file.to_owned(),
            fingerprint: fingerprint_of_all(&conversations),
            turns: u32::MAX,
            conversations: conversations.into(),
        }
    }

    /// Of each, so many turns are asked at most.
    pub fn of(self, turns: u32) -> Conversations {
        Conversations { turns, ..self }
    }

    pub fn len(&self) -> usize {
        self.conversations.len()
    }

    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
    }

    /// What is asked of one of them.
    pub fn turns_of(&self, place: usize) -> Option<&[Turn]> {
        let turns = self.conversations.get(place)?;
        Some(&turns[..turns.len().min(self.turns as usize)])
    }
}

impl PartialEq for Conversations {
    fn eq(&self, other: &Conversations) -> bool {
        (&self.fingerprint, self.turns) == (&other.fingerprint, other.turns)
    }
}

impl Question {
    /// One that stands by itself.
    pub fn single(prompt: Prompt, output_tokens: u32) -> Question {
        Question { prompt, output_tokens, answered: String::new(), then: VecDeque::new() }
    }

    /// The first of a conversation; `None` of one without turns.
    pub fn first(turns: impl IntoIterator<Item = Turn>) -> Option<Question> {
        let mut then: VecDeque<Turn> = turns.into_iter().collect();
        let Turn { said, answered, output_tokens } = then.pop_front()?;
        Some(Question { prompt: Prompt::Text(said), output_tokens, answered, then })
    }

    pub fn is_followed(&self) -> bool {
        !self.then.is_empty()
    }

    /// The next turn, with all that was said before it.
    pub fn next(mut self) -> Option<Question> {
        let Turn { said, answered, output_tokens } = self.then.pop_front()?;
        let mut messages = match self.prompt {
            Prompt::Messages(messages) => messages,
            Prompt::Text(content) => vec![ChatMessage { role: "user".into(), content }],
        };
        messages.push(ChatMessage { role: "assistant".into(), content: self.answered });
        messages.push(ChatMessage { role: "user".into(), content: said });
        Some(Question { prompt: Prompt::Messages(messages), output_tokens, answered, then: self.then })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(said: &str, answered: &str, output_tokens: u32) -> Turn {
        Turn { said: said.into(), answered: answered.into(), output_tokens }
    }

    #[test]
    fn every_turn_holds_what_was_said_before() {
        let question = Question::first([turn("a", "b", 2), turn("c", "d", 3), turn("e", "f", 4)]).unwrap();
        assert_eq!((&question.prompt, question.output_tokens), (&Prompt::Text("a".into()), 2));
        let third = question.next().and_then(Question::next).unwrap();
        let Prompt::Messages(messages) = &third.prompt else { panic!("messages") };
        let said: Vec<(&str, &str)> =
            messages.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect();
        assert_eq!(
            said,
            [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")]
        );
        assert_eq!((third.output_tokens, third.is_followed()), (4, false));
        assert_eq!(third.next(), None);
    }

    #[test]
    fn no_more_turns_are_asked_than_wanted() {
        let conversations =
            Conversations::new("f.json", vec![vec![turn("a", "b", 2), turn("c", "d", 3)]]).of(1);
        assert_eq!(conversations.turns_of(0), Some([turn("a", "b", 2)].as_slice()));
        assert_eq!(conversations.turns_of(1), None);
    }
}
