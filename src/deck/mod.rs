//! The prompts of a session, drawn in order.

mod words;

use std::collections::VecDeque;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

use crate::worker::Deal;
use crate::workload::{Message, Prompt, Prompts, Synthetic, Workload};

use words::WORDS;

/// An endless, deterministic stream of prompts: the same seed, salt and session give the same ones in every process and
/// on every machine. A session's rounds draw from one deck in turn, so that no round repeats a prompt that the engine
/// has already cached.
///
/// **Synthetic** prompts have exactly `input_tokens` common words. The first `shared_prefix` of them are the same in
/// every prompt of the workload (they follow from seed and salt), the rest is drawn anew for each.
///
/// **Listed** prompts come in shuffled order; when the list has run through it starts again, shuffled anew. Each begins
/// with a short line that no other deck and no other place in this one has: a prompt that the engine has seen before,
/// be it in another session or yesterday, would be served from the prefix cache and hide that prefilling became slower.
#[derive(Clone, Debug)]
pub struct Deck {
    rng: Pcg64,
    source: Source,
    /// Identifies this deck within the unique lines.
    tag: u32,
    drawn: u32,
    /// Which ones are drawn, where other workers draw the rest.
    deal: Option<Deal>,
    /// What else is drawn for a round comes from here: purpose, seed and session.
    lots: [String; 3],
    rounds: u32,
}

#[derive(Clone, Debug)]
enum Source {
    Synthetic { shared: Vec<&'static str>, unique: u32 },
    List { prompts: Vec<Prompt>, order: VecDeque<u32> },
}

impl Deck {
    /// The prompts of all measured rounds of a session.
    pub fn measured(workload: &Workload, salt: &str, session: u32) -> Deck {
        Deck::new(workload, "measured", salt, session)
    }

    /// The prompts of a session's warm-up, none of which is measured.
    pub fn warmup(workload: &Workload, salt: &str, session: u32) -> Deck {
        Deck::new(workload, "warm-up", salt, session)
    }

    fn new(workload: &Workload, purpose: &str, salt: &str, session: u32) -> Deck {
        let mut rng = rng_of(&[purpose, &workload.seed.to_string(), salt, &session.to_string()]);
        let source = match &workload.prompts {
            Prompts::Synthetic(synthetic) => Source::synthetic(*synthetic, workload.seed, salt),
            Prompts::List(prompts) => {
                Source::List { prompts: prompts.clone(), order: shuffled(prompts.len(), &mut rng) }
            }
        };
        let lots = [purpose.to_owned(), workload.seed.to_string(), session.to_string()];
        Deck { tag: rng.random(), rng, source, drawn: 0, deal: None, lots, rounds: 0 }
    }

    /// Draws only what is this worker's.
    pub fn dealt(self, deal: Deal) -> Deck {
        Deck { deal: Some(deal), ..self }
    }

    /// What a round draws besides its prompts, such as when they are due. It doesn't depend on the salt, so that every
    /// run's rounds come in the same rhythm: one thing less in which two of them differ.
    pub fn rng_of_round(&mut self) -> Pcg64 {
        self.rounds += 1;
        let [purpose, seed, session] = &self.lots;
        rng_of(&["round", purpose, seed, session, &self.rounds.to_string()])
    }

    pub fn draw(&mut self) -> Prompt {
        while self.deal.is_some_and(|deal| !deal.has(self.drawn)) {
            self.next();
        }
        self.next()
    }

    fn next(&mut self) -> Prompt {
        self.drawn += 1;
        match &mut self.source {
            Source::Synthetic { shared, unique } => {
                let unique = (0..*unique).map(|_| random_word(&mut self.rng));
                let words: Vec<&str> = shared.iter().copied().chain(unique).collect();
                Prompt::Text(words.join(" "))
            }
            Source::List { prompts, order } => {
                if order.is_empty() {
                    *order = shuffled(prompts.len(), &mut self.rng);
                }
                let next = order.pop_front().and_then(|at| prompts.get(at as usize)).cloned();
                let prompt = next.unwrap_or_else(|| Prompt::Text(String::new()));
                with_line(prompt, &format!("Reference {:08x}-{}.\n", self.tag, self.drawn))
            }
        }
    }
}

impl Source {
    fn synthetic(synthetic: Synthetic, seed: u64, salt: &str) -> Source {
        let share = synthetic.shared_prefix.clamp(0.0, 1.0);
        let shared = (f64::from(synthetic.input_tokens) * share).round() as u32;
        let mut rng = rng_of(&["shared prefix", &seed.to_string(), salt]);
        Source::Synthetic {
            shared: (0..shared).map(|_| random_word(&mut rng)).collect(),
            unique: synthetic.input_tokens - shared,
        }
    }
}

/// Every part ends with its length, so that no two lists of parts read the same.
fn rng_of(parts: &[&str]) -> Pcg64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update((part.len() as u64).to_le_bytes());
    }
    Pcg64::from_seed(hash.finalize().into())
}

fn random_word(rng: &mut Pcg64) -> &'static str {
    WORDS[rng.random_range(0..WORDS.len() as u32) as usize]
}

fn shuffled(len: usize, rng: &mut Pcg64) -> VecDeque<u32> {
    let mut order: Vec<u32> = (0..len as u32).collect();
    order.shuffle(rng);
    order.into()
}

/// Caches match from the first token on, so the line goes before everything else.
fn with_line(prompt: Prompt, line: &str) -> Prompt {
    match prompt {
        Prompt::Text(text) => Prompt::Text(format!("{line}{text}")),
        Prompt::Messages(mut messages) => {
            if let Some(Message { content, .. }) = messages.first_mut() {
                content.insert_str(0, line);
            }
            Prompt::Messages(messages)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::load::{Load, Stop};
    use crate::worker::Worker;
    use crate::workload::{Api, Sampling};

    fn workload(prompts: Prompts) -> Workload {
        Workload {
            api: Api::Chat,
            stream: true,
            prompts,
            output_tokens: 8,
            ignore_eos: false,
            seed: 1,
            sampling: Sampling::default(),
        }
    }

    fn synthetic(input_tokens: u32, shared_prefix: f64) -> Workload {
        workload(Prompts::Synthetic(Synthetic { input_tokens, shared_prefix }))
    }

    fn list(len: usize) -> Workload {
        workload(Prompts::List((0..len).map(|i| Prompt::Text(format!("prompt {i}"))).collect()))
    }

    fn draw(deck: &mut Deck, count: usize) -> Vec<String> {
        let text = |prompt| match prompt {
            Prompt::Text(text) => text,
            Prompt::Messages(messages) => messages[0].content.clone(),
        };
        (0..count).map(|_| text(deck.draw())).collect()
    }

    #[test]
    fn a_seed_stands_for_these_prompts_for_ever() {
        let mut deck = Deck::measured(&synthetic(6, 0.5), "salt", 0);
        assert_eq!(
            draw(&mut deck, 2),
            ["question might floor bed form hot", "question might floor rate men high"]
        );
    }

    #[test]
    fn seed_salt_and_session_each_change_the_prompts() {
        let mut other_seed = synthetic(16, 0.0);
        other_seed.seed = 2;
        let decks = [
            Deck::measured(&synthetic(16, 0.0), "a", 0),
            Deck::measured(&synthetic(16, 0.0), "a", 1),
            Deck::measured(&synthetic(16, 0.0), "b", 0),
            Deck::measured(&other_seed, "a", 0),
            Deck::warmup(&synthetic(16, 0.0), "a", 0),
        ];
        let firsts: HashSet<String> =
            decks.into_iter().map(|mut deck| draw(&mut deck, 1).remove(0)).collect();
        assert_eq!(firsts.len(), 5);
    }

    #[test]
    fn synthetic_prompts_have_the_asked_for_length_and_never_repeat() {
        let workload = synthetic(32, 0.0);
        let mut prompts = draw(&mut Deck::measured(&workload, "", 0), 500);
        prompts.extend(draw(&mut Deck::warmup(&workload, "", 0), 500));
        assert!(prompts.iter().all(|prompt| prompt.split(' ').count() == 32));
        assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 1000);
    }

    #[test]
    fn the_shared_prefix_is_the_same_in_every_session_and_the_rest_differs() {
        let workload = synthetic(40, 0.5);
        let prefix = |prompt: &str| prompt.split(' ').take(20).collect::<Vec<_>>().join(" ");
        let mut prompts = draw(&mut Deck::measured(&workload, "", 0), 50);
        prompts.extend(draw(&mut Deck::measured(&workload, "", 1), 50));
        prompts.extend(draw(&mut Deck::warmup(&workload, "", 0), 50));
        assert_eq!(prompts.iter().map(|prompt| prefix(prompt)).collect::<HashSet<_>>().len(), 1);
        assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 150);
    }

    #[test]
    fn a_list_runs_through_shuffled_before_anything_returns() {
        let drawn = draw(&mut Deck::measured(&list(20), "", 0), 20);
        let listed: Vec<&str> = drawn.iter().map(|prompt| prompt.lines().nth(1).unwrap()).collect();
        let plain: Vec<String> = (0..20).map(|i| format!("prompt {i}")).collect();
        assert_ne!(listed, plain);
        assert_eq!(listed.into_iter().collect::<HashSet<_>>(), plain.iter().map(String::as_str).collect());
    }

    #[test]
    fn workers_together_draw_what_one_would_draw_alone() {
        for workload in [synthetic(8, 0.5), list(7)] {
            let load = Load::closed(6, Stop::Requests(24));
            let alone: Vec<String> = draw(&mut Deck::measured(&workload, "", 0), 24);
            let mut together = vec![String::new(); 24];
            for number in 1..=3 {
                let deal = Worker { number, of: 3 }.deal(&load);
                let mut deck = Deck::measured(&workload, "", 0).dealt(deal);
                let own = (0..24).filter(|place| deal.has(*place));
                own.for_each(|place| together[place as usize] = draw(&mut deck, 1).remove(0));
            }
            assert_eq!(together, alone);
        }
    }

    #[test]
    fn no_two_listed_prompts_begin_alike_whatever_deck_they_are_of() {
        let decks = [
            Deck::measured(&list(5), "", 0),
            Deck::measured(&list(5), "", 1),
            Deck::measured(&list(5), "another run", 0),
            Deck::warmup(&list(5), "", 0),
        ];
        let drawn: Vec<String> = decks.into_iter().flat_map(|mut deck| draw(&mut deck, 15)).collect();
        let lines: HashSet<&str> = drawn.iter().map(|prompt| prompt.lines().next().unwrap()).collect();
        assert_eq!(lines.len(), 60);
        assert!(drawn.iter().all(|prompt| prompt.starts_with("Reference ")));
    }

    #[test]
    fn the_unique_line_goes_before_the_first_message() {
        let messages = ["system", "user"].map(|role| Message { role: role.into(), content: role.into() });
        let workload = workload(Prompts::List(vec![Prompt::Messages(messages.into())]));
        let Prompt::Messages(messages) = Deck::warmup(&workload, "", 0).draw() else { panic!("messages") };
        assert!(messages[0].content.starts_with("Reference "));
        assert_eq!(messages[1].content, "user");
    }
}
