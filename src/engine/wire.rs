//! How to write requests and read responses.

use std::fmt;

use crate::engine::Reply;
use crate::engine::lines::without_mark;
use crate::load::conversations::Question;
use crate::load::workload::{Api, Prompt, Sampling, Workload};
use crate::metrics::record::Failure;
use crate::units::Nanos;

/// One format of requests and responses; several engines may share one.
pub trait Wire: fmt::Debug + Send + Sync {
    fn request(&self, ask: &Ask) -> Request;

    /// Reads a line of a streamed response, which was complete at this time.
    fn read_line(&self, line: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure>;

    /// Reads the body of a response that came as a whole.
    fn read_body(&self, body: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure>;

    /// Reads a response's headers; `header` looks one up by its lower-case name.
    fn read_headers(&self, _header: &dyn Fn(&str) -> Option<f64>, _reply: &mut Reply) {}

    /// Reads a piece of a streamed response that arrived at `at_ns`. Pieces may split lines anywhere.
    fn read_piece(&self, piece: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let mut lines = std::mem::take(&mut reply.lines);
        let read = lines.push(piece, |line| self.read_line(line, at_ns, reply));
        reply.lines = lines;
        read
    }

    /// Handles the end of a streamed response.
    fn read_end(&self, at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let lines = std::mem::take(&mut reply.lines);
        self.read_line(lines.rest(), at_ns, reply)?;
        // The empty line that ends the last event may be missing.
        self.read_line(b"", at_ns, reply)?;
        reply.verify()
    }

    /// Reads a response that came as a whole.
    fn read_whole(&self, body: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        self.read_body(without_mark(body), at_ns, reply)?;
        reply.done = true;
        reply.verify()
    }
}

/// The content of a request, independent of its format.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub api: Api,
    pub stream: bool,
    pub model: Option<&'a str>,
    pub prompt: &'a Prompt,
    pub output_tokens: u32,
    pub ignore_eos: bool,
    pub sampling: Sampling,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Relative to the target's base URL.
    pub path: &'static str,
    pub body: Vec<u8>,
}

impl<'a> Ask<'a> {
    pub fn new(workload: &Workload, model: Option<&'a str>, question: &'a Question) -> Ask<'a> {
        Ask {
            api: workload.api,
            stream: workload.stream,
            model,
            prompt: &question.prompt,
            output_tokens: question.output_tokens,
            ignore_eos: workload.ignore_eos,
            sampling: workload.sampling,
        }
    }
}
