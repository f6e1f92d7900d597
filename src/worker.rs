//! One of several processes that ask one load together.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::{Arrival, Closed, Load, Stop};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// From 1.
    pub number: u32,
    pub of: u32,
}

/// Which requests of a whole load are one worker's: those of its users, every `of`-th user being one. So the requests
/// and the prompts of all workers together are those of a single process, each of them once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    worker: Worker,
    users: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a worker and how many there are, such as 2/4, found `{0}`")]
pub struct NoWorker(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoShare {
    #[error(
        "worker {worker} has nothing to do: the load has {users} users, {requests} of whom have a request"
    )]
    NothingToDo { worker: Worker, users: u32, requests: u32 },
    #[error("only users that begin at once can be shared among workers: leave out the rate or the ramp")]
    ByTheClock,
}

impl Worker {
    pub fn deal(self, load: &Load) -> Deal {
        Deal { worker: self, users: load.users().unwrap_or(1) }
    }

    /// This worker's share of a load.
    pub fn share(self, load: &Load) -> Result<Load, NoShare> {
        let Arrival::Closed(closed @ Closed { concurrency: users, ramp: None, .. }) = load.arrival else {
            return Err(NoShare::ByTheClock);
        };
        let own = self.count(users);
        let stop = match load.stop {
            Stop::Requests(requests) => Stop::Requests(requests / users * own + self.count(requests % users)),
            duration @ Stop::DurationMs(_) => duration,
        };
        if own == 0 || stop == Stop::Requests(0) {
            let requests = load.stop.requests().map_or(users, |requests| requests.min(users));
            return Err(NoShare::NothingToDo { worker: self, users, requests });
        }
        Ok(Load { arrival: Arrival::Closed(Closed { concurrency: own, ..closed }), stop })
    }

    /// How many of so many users are its own.
    fn count(self, users: u32) -> u32 {
        (users + self.of - self.number) / self.of
    }
}

impl Deal {
    /// Whether the whole load's request at this place, from 0, is this worker's.
    pub fn has(self, place: u32) -> bool {
        place % self.users % self.worker.of == self.worker.number - 1
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

    fn workers(of: u32) -> impl Iterator<Item = Worker> {
        (1..=of).map(move |number| Worker { number, of })
    }

    #[test]
    fn every_request_is_one_workers_and_each_has_as_many_as_its_share_says() {
        for (users, requests, of) in [(8, 32, 4), (5, 23, 2), (7, 3, 3), (256, 15_625, 4)] {
            let load = Load::closed(users, Stop::Requests(requests));
            let mut users_of_all = 0;
            let mut owners = vec![0; requests as usize];
            for worker in workers(of) {
                let (share, deal) = (worker.share(&load).unwrap(), worker.deal(&load));
                let own: Vec<u32> = (0..requests).filter(|place| deal.has(*place)).collect();
                assert_eq!(share.stop, Stop::Requests(own.len() as u32), "{worker} of {load:?}");
                users_of_all += share.users().unwrap();
                own.into_iter().for_each(|place| owners[place as usize] += 1);
            }
            assert_eq!(users_of_all, users);
            assert!(owners.iter().all(|count| *count == 1), "{owners:?}");
        }
    }

    #[test]
    fn a_worker_without_users_or_without_requests_is_refused() {
        let third = Worker { number: 3, of: 3 };
        assert!(third.share(&Load::closed(2, Stop::DurationMs(10))).is_err());
        let error = third.share(&Load::closed(9, Stop::Requests(2))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "worker 3/3 has nothing to do: the load has 9 users, 2 of whom have a request"
        );
    }

    #[test]
    fn a_worker_is_written_as_a_number_of_how_many() {
        assert_eq!("2/4".parse(), Ok(Worker { number: 2, of: 4 }));
        for text in ["0/4", "5/4", "2", "a/b", "1/0", "-1/2"] {
            assert!(text.parse::<Worker>().unwrap_err().to_string().contains("such as 2/4"), "{text}");
        }
    }
}
