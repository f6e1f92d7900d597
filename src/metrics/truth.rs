//! When the simulated engine itself received requests and wrote tokens.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// What `/truth` answers: the requests that have ended, in the order in which they did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Truth {
    pub requests: VecDeque<RequestTruth>,
}

/// One request as the server saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTruth {
    /// The request's `X-Request-Id`, or one that was made up for it.
    pub id: String,
    /// When the last byte of the request arrived at this machine, by the system's own stamp.
    pub received_ns: Nanos,
    /// When the model wanted each token out.
    pub token_due_ns: Vec<Nanos>,
    /// When each token was handed over to be written.
    pub token_written_ns: Vec<Nanos>,
    /// When the last byte was handed over, or the client was found to be gone.
    pub end_ns: Nanos,
}
