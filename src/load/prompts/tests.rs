use std::collections::HashSet;

use super::*;
use crate::load::worker::Worker;
use crate::load::workload::{Api, Sampling};
use crate::load::{Load, StopCondition};

fn workload(prompts: Prompts) -> Workload {
    Workload {
        api: Api::Chat,
        stream: true,
        prompts,
        output_tokens: Some(8),
        ignore_eos: false,
        seed: 1,
        sampling: Sampling::default(),
    }
}

fn synthetic(input_tokens: u32, shared_prefix: f64) -> Workload {
    workload(Prompts::Synthetic(Synthetic { input_tokens, shared_prefix, turns: 1 }))
}

fn list(len: usize) -> Workload {
    workload(Prompts::List((0..len).map(|i| Prompt::Text(format!("prompt {i}"))).collect()))
}

fn text(prompt: Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text,
        Prompt::Messages(messages) => messages[0].content.clone(),
    }
}

fn draw(sampler: &mut PromptSampler, count: usize) -> Vec<String> {
    (0..count).map(|_| text(sampler.draw().prompt)).collect()
}

#[test]
fn a_seed_stands_for_these_prompts_for_ever() {
    let mut sampler = PromptSampler::measured(&synthetic(6, 0.5), "salt", 0);
    assert_eq!(
        draw(&mut sampler, 2),
        ["question might floor to writer some", "question might floor server angle wine"]
    );
}

#[test]
fn seed_salt_and_session_each_change_the_prompts() {
    let mut other_seed = synthetic(16, 0.0);
    other_seed.seed = 2;
    let samplers = [
        PromptSampler::measured(&synthetic(16, 0.0), "a", 0),
        PromptSampler::measured(&synthetic(16, 0.0), "a", 1),
        PromptSampler::measured(&synthetic(16, 0.0), "b", 0),
        PromptSampler::measured(&other_seed, "a", 0),
        PromptSampler::warmup(&synthetic(16, 0.0), "a", 0),
    ];
    let firsts: HashSet<String> =
        samplers.into_iter().map(|mut sampler| draw(&mut sampler, 1).remove(0)).collect();
    assert_eq!(firsts.len(), 5);
}

#[test]
fn synthetic_prompts_have_the_asked_for_length_and_never_repeat() {
    let workload = synthetic(32, 0.0);
    let mut prompts = draw(&mut PromptSampler::measured(&workload, "", 0), 500);
    prompts.extend(draw(&mut PromptSampler::warmup(&workload, "", 0), 500));
    assert!(prompts.iter().all(|prompt| prompt.split(' ').count() == 32));
    assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 1000);
}

#[test]
fn the_shared_prefix_is_the_same_in_every_session_and_the_rest_differs() {
    let workload = synthetic(40, 0.5);
    let prefix = |prompt: &str| prompt.split(' ').take(20).collect::<Vec<_>>().join(" ");
    let mut prompts = draw(&mut PromptSampler::measured(&workload, "", 0), 50);
    prompts.extend(draw(&mut PromptSampler::measured(&workload, "", 1), 50));
    prompts.extend(draw(&mut PromptSampler::warmup(&workload, "", 0), 50));
    assert_eq!(prompts.iter().map(|prompt| prefix(prompt)).collect::<HashSet<_>>().len(), 1);
    assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 150);
}

#[test]
fn a_list_runs_through_shuffled_before_anything_returns() {
    let drawn = draw(&mut PromptSampler::measured(&list(20), "", 0), 20);
    let listed: Vec<&str> = drawn.iter().map(|prompt| prompt.lines().nth(1).unwrap()).collect();
    let plain: Vec<String> = (0..20).map(|i| format!("prompt {i}")).collect();
    assert_ne!(listed, plain);
    assert_eq!(listed.into_iter().collect::<HashSet<_>>(), plain.iter().map(String::as_str).collect());
}

#[test]
fn workers_together_draw_what_one_would_draw_alone() {
    for workload in [synthetic(8, 0.5), list(7)] {
        let load = Load::closed(6, StopCondition::Requests(24));
        let alone: Vec<String> = draw(&mut PromptSampler::measured(&workload, "", 0), 24);
        let mut together = vec![String::new(); 24];
        for number in 1..=3 {
            let shard = Worker { number, of: 3 }.shard(load.users());
            let mut sampler = PromptSampler::measured(&workload, "", 0).with_shard(shard);
            let own = (0..24).filter(|place| shard.has(*place));
            own.for_each(|place| together[place as usize] = draw(&mut sampler, 1).remove(0));
        }
        assert_eq!(together, alone);
    }
}

#[test]
fn no_two_listed_prompts_begin_alike_in_any_sampler() {
    let samplers = [
        PromptSampler::measured(&list(5), "", 0),
        PromptSampler::measured(&list(5), "", 1),
        PromptSampler::measured(&list(5), "another run", 0),
        PromptSampler::warmup(&list(5), "", 0),
    ];
    let drawn: Vec<String> = samplers.into_iter().flat_map(|mut sampler| draw(&mut sampler, 15)).collect();
    let lines: HashSet<&str> = drawn.iter().map(|prompt| prompt.lines().next().unwrap()).collect();
    assert_eq!(lines.len(), 60);
    assert!(drawn.iter().all(|prompt| prompt.starts_with("Reference ")));
}

#[test]
fn the_unique_line_goes_before_the_first_message() {
    let messages = ["system", "user"].map(|role| ChatMessage { role: role.into(), content: role.into() });
    let workload = workload(Prompts::List(vec![Prompt::Messages(messages.into())]));
    let Prompt::Messages(messages) = PromptSampler::warmup(&workload, "", 0).draw().prompt else {
        panic!("messages")
    };
    assert!(messages[0].content.starts_with("Reference "));
    assert_eq!(messages[1].content, "user");
}

fn traced(requests: &[(u32, &[u64])]) -> Workload {
    let request = |(place, (input_tokens, blocks)): (usize, &(u32, &[u64]))| TracedRequest {
        at_ns: place as u64,
        input_tokens: *input_tokens,
        output_tokens: place as u32 + 1,
        blocks: blocks.to_vec(),
    };
    let trace = Trace::new("t.jsonl", requests.iter().enumerate().map(request).collect());
    Workload { output_tokens: None, ..workload(Prompts::Trace(trace)) }
}

fn words_in_common(one: &str, other: &str) -> usize {
    one.split(' ').zip(other.split(' ')).take_while(|(one, other)| one == other).count()
}

#[test]
fn a_traces_prompts_are_as_long_and_as_alike_as_it_says() {
    let workload = traced(&[(1100, &[7, 8, 9]), (1200, &[7, 8, 10]), (600, &[11]), (3, &[])]);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    sampler.begin_round();
    let drawn: Vec<Question> = (0..4).map(|_| sampler.draw()).collect();
    let lengths: Vec<u32> = drawn.iter().map(|question| question.output_tokens).collect();
    assert_eq!(lengths, [1, 2, 3, 4]);
    let texts: Vec<String> = drawn.into_iter().map(|question| text(question.prompt)).collect();
    let words: Vec<usize> = texts.iter().map(|text| text.split(' ').count()).collect();
    assert_eq!(words, [1100, 1200, 600, 3]);
    assert!((1024..1030).contains(&words_in_common(&texts[0], &texts[1])));
    assert!(words_in_common(&texts[0], &texts[2]) < 6);
}

#[test]
fn a_prompt_does_not_depend_on_those_before_it() {
    let second = |first_tokens| {
        let mut sampler = PromptSampler::measured(&traced(&[(first_tokens, &[]), (9, &[])]), "", 0);
        sampler.begin_round();
        draw(&mut sampler, 2).remove(1)
    };
    assert_eq!(second(3), second(700));
}

#[test]
fn every_round_of_a_trace_begins_anew_in_other_words() {
    let workload = traced(&[(600, &[7]), (700, &[7])]);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let mut first_of_round = || {
        sampler.begin_round();
        draw(&mut sampler, 1).remove(0)
    };
    let (one, other) = (first_of_round(), first_of_round());
    assert_eq!((one.split(' ').count(), other.split(' ').count()), (600, 600));
    assert!(words_in_common(&one, &other) < 6);
    // Where a round asks more often than the trace has requests, it begins again in other words, too.
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let drawn = draw(&mut sampler, 3);
    assert!(words_in_common(&drawn[0], &drawn[2]) < 6 && words_in_common(&drawn[0], &drawn[1]) >= 512);
}

#[test]
fn turns_say_more_each_time_and_conversations_never_begin_alike() {
    let mut workload = synthetic(10, 0.0);
    let Prompts::Synthetic(synthetic) = &mut workload.prompts else { unreachable!() };
    synthetic.turns = 2;
    let turn = |said: &str| Turn { said: said.into(), answered: "c d".into(), output_tokens: 2 };
    let conversations = Conversations::new("f.json", vec![vec![turn("a"), turn("b")]; 3]).of(2);
    let without_length =
        Workload { output_tokens: None, ..self::workload(Prompts::Conversations(conversations)) };
    for (workload, output_tokens) in [(workload, 8), (without_length, 2)] {
        let mut sampler = PromptSampler::measured(&workload, "", 0);
        let mut begun = HashSet::new();
        for _ in 0..5 {
            let first = sampler.draw();
            let said = text(first.prompt.clone());
            let Some(Question { prompt: Prompt::Messages(messages), .. }) = first.clone().next() else {
                panic!("a second turn")
            };
            assert_eq!((messages.len(), &messages[0].content), (3, &said));
            assert_eq!(messages[1].content.split(' ').count(), output_tokens);
            assert_eq!(first.output_tokens, output_tokens as u32);
            assert!(begun.insert(said.lines().next().unwrap().to_owned()));
        }
    }
}
