//! One of several processes that ask one load together.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Load;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// From 1.
    pub number: u32,
    pub of: u32,
}

/// Which requests of a whole load are one worker's: in a closed load those of its users, every `of`-th user being one,
/// else every `of`-th request. So the requests, the prompts and the moments of all workers together are those of a
/// single process, each of them once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    worker: Worker,
    users: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a worker and how many there are, such as 2/4, found `{0}`")]
pub struct NoWorker(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker} has nothing to do: {whole}")]
pub struct NothingToDo {
    worker: Worker,
    /// What there is to share.
    whole: String,
}

impl Worker {
    /// `users`: of a closed load.
    pub fn shard(self, users: Option<u32>) -> Shard {
        Shard { worker: self, users }
    }

    /// The same load, of which this process asks this worker's share.
    ///
    /// # Errors
    /// Where nothing of it is this worker's.
    pub fn share(self, load: &Load) -> Result<Load, NothingToDo> {
        let share = Load { worker: Some(self), ..load.clone() };
        if share.due_without_answers() > 0 && share.requests() != Some(0) {
            return Ok(share);
        }
        let due = load.due_without_answers();
        let whole = match (load.users(), load.requests()) {
            (Some(users), Some(requests)) => {
                format!("the load has {users} users, {} of whom have a request", requests.min(users))
            }
            (Some(users), None) if due < users => {
                format!("the load has {users} users, {due} of whom come before its time is up")
            }
            (Some(users), None) => format!("the load has {users} users"),
            (None, _) => format!("the load has {due} requests"),
        };
        Err(NothingToDo { worker: self, whole })
    }

    /// How many of so many are its own.
    fn count(self, all: u32) -> u32 {
        (all - all.min(self.number - 1)).div_ceil(self.of)
    }
}

impl Shard {
    /// Whether the whole load's request at this place, from 0, is this worker's.
    pub fn has(self, place: u32) -> bool {
        self.users.map_or(place, |users| place % users) % self.worker.of == self.worker.number - 1
    }

    /// How many of the first places are this worker's.
    pub fn count(self, places: u32) -> u32 {
        match self.users {
            None => self.worker.count(places),
            Some(users) => places / users * self.worker.count(users) + self.worker.count(places % users),
        }
    }
}

impl FromStr for Worker {
    type Err = NoWorker;

    fn from_str(text: &str) -> Result<Worker, NoWorker> {
        let numbers =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Worker { number, of }),
            _ => Err(NoWorker(text.to_owned())),
        }
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Arrival, ArrivalProcess, Closed, Ramp, StopCondition};

    fn workers(of: u32) -> impl Iterator<Item = Worker> {
        (1..=of).map(move |number| Worker { number, of })
    }

    #[test]
    fn every_request_is_one_workers_and_each_has_as_many_as_its_share_says() {
        let closed = [(8, 32, 4), (5, 23, 2), (7, 7, 3), (256, 15_625, 4)].map(|(users, requests, of)| {
            (Load::closed(users, StopCondition::Requests(requests)), requests, of)
        });
        let open = [(32, 4), (23, 2), (3, 3)].map(|(requests, of)| {
            (Load::open(10.0, ArrivalProcess::Poisson, StopCondition::Requests(requests)), requests, of)
        });
        for (load, requests, of) in closed.into_iter().chain(open) {
            let mut users_of_all = 0;
            let mut owners = vec![0; requests as usize];
            for worker in workers(of) {
                let share = worker.share(&load).unwrap();
                let shard = share.shard().unwrap();
                let own: Vec<u32> = (0..requests).filter(|place| shard.has(*place)).collect();
                assert_eq!(share.requests(), Some(own.len() as u32), "{worker} of {load:?}");
                users_of_all += share.users().unwrap_or(0);
                own.into_iter().for_each(|place| owners[place as usize] += 1);
            }
            assert_eq!(users_of_all, load.users().unwrap_or(0));
            assert!(owners.iter().all(|count| *count == 1), "{owners:?}");
        }
    }

    #[test]
    fn a_worker_without_users_or_without_requests_is_refused() {
        let third = Worker { number: 3, of: 3 };
        let refusal = |load: &Load| third.share(load).unwrap_err().to_string();
        assert_eq!(
            refusal(&Load::closed(2, StopCondition::DurationMs(10))),
            "worker 3/3 has nothing to do: the load has 2 users"
        );
        assert_eq!(
            refusal(&Load::closed(9, StopCondition::Requests(2))),
            "worker 3/3 has nothing to do: the load has 9 users, 2 of whom have a request"
        );
        assert_eq!(
            refusal(&Load::open(1.0, ArrivalProcess::Constant, StopCondition::Requests(2))),
            "worker 3/3 has nothing to do: the load has 2 requests"
        );
        assert_eq!(
            refusal(&Load::open(0.2, ArrivalProcess::Poisson, StopCondition::DurationMs(10_000))),
            "worker 3/3 has nothing to do: the load has 2 requests"
        );
    }

    #[test]
    fn a_worker_whose_users_would_come_too_late_is_refused() {
        let ramp = Some(Ramp { from: 1.0, over_ms: 100, steps: None });
        let users = Arrival::Closed(Closed { concurrency: 3, think_time: None, ramp });
        let load = Load::new(users, StopCondition::DurationMs(60));
        let refusal = Worker { number: 3, of: 3 }.share(&load).unwrap_err().to_string();
        let expected = "the load has 3 users, 2 of whom come before its time is up";
        assert_eq!(refusal, format!("worker 3/3 has nothing to do: {expected}"));
    }

    #[test]
    fn a_worker_is_written_as_a_number_of_how_many() {
        assert_eq!("2/4".parse(), Ok(Worker { number: 2, of: 4 }));
        for text in ["0/4", "5/4", "2", "a/b", "1/0", "-1/2"] {
            assert!(text.parse::<Worker>().unwrap_err().to_string().contains("such as 2/4"), "{text}");
        }
    }
}
