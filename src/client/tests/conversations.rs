//! Users whose next request contains the earlier turns.

use serde_json::Value;

use super::server::{Server, answer_json, answer_successfully};
use super::{PATIENCE, client, workload};
use crate::client::{Cancel, Progress, Watch};
use crate::load::prompts::PromptSampler;
use crate::load::workload::{Prompts, Synthetic};
use crate::load::{Arrival, Load, StopCondition, ThinkTime};
use crate::metrics::record::RequestRecord;

fn run_conversations(
    server: &Server,
    turns: u32,
    users: u32,
    requests: u32,
    think_ms: Option<f64>,
) -> Vec<RequestRecord> {
    let mut workload = workload(true);
    workload.prompts = Prompts::Synthetic(Synthetic { turns, ..Synthetic::of(12) });
    let mut load = Load::closed(users, StopCondition::Requests(requests));
    let Arrival::Closed(closed) = &mut load.arrival else { unreachable!() };
    closed.think_time = think_ms.map(|ms| ThinkTime::Uniform { from_ms: 0.0, to_ms: 2.0 * ms });
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let mut records = Vec::new();
    client(&server.url, PATIENCE).run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap();
    records
}

/// The messages of each request, in order of arrival.
fn said(server: &Server) -> Vec<Vec<String>> {
    let messages = |body: &String| {
        let body: Value = serde_json::from_str(body).unwrap();
        let messages = body["messages"].as_array().unwrap().iter();
        messages.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    };
    server.bodies().iter().map(messages).collect()
}

#[test]
fn a_user_continues_its_conversation_then_starts_another() {
    for think_ms in [None, Some(5.0)] {
        let server = Server::start(|_, stream| answer_successfully(stream));
        let records = run_conversations(&server, 3, 4, 24, think_ms);
        assert_eq!(records.len(), 24);
        let said = said(&server);
        let of_turn = |messages: usize| said.iter().filter(move |said| said.len() == messages);
        // When requests run out, each user may be at a different turn.
        let turns = [1, 3, 5].map(|messages| of_turn(messages).count());
        assert_eq!(turns.iter().sum::<usize>(), 24);
        assert!(turns.is_sorted_by(|one, next| one >= next) && turns[0] - turns[2] <= 4, "{turns:?}");
        for (at, later) in said.iter().enumerate().filter(|(_, said)| said.len() > 1) {
            let before = &later[..later.len() - 2];
            assert!(said[..at].iter().any(|earlier| earlier == before), "{later:?}");
        }
    }
}

#[test]
fn a_conversation_ends_without_a_response() {
    let server = Server::start(|_, stream| answer_json(stream, 500, "{}"));
    let records = run_conversations(&server, 3, 1, 3, None);
    assert_eq!(records.len(), 3);
    assert!(said(&server).iter().all(|said| said.len() == 1));
}
