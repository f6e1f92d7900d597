//! When the simulated engine received requests and wrote tokens.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// The response of `/truth`: the requests that have ended, in the order of their ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Truth {
    pub requests: VecDeque<RequestTruth>,
}

/// One request as the server saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTruth {
    /// The request's `X-Request-Id`, or a generated one.
    pub id: String,
    /// When the last byte of the request arrived at this machine, by the system's timestamp.
    pub received_ns: Nanos,
    /// When the model wanted each token out.
    pub token_due_ns: Vec<Nanos>,
    /// When each token was handed over for writing.
    pub token_written_ns: Vec<Nanos>,
    /// When the last byte was handed over, or the client was found to be gone.
    pub end_ns: Nanos,
}
