//! Encodes and decodes frames.

use crate::metrics::record::{Failure, FailureClass, Finish, RequestRecord, TokenCount};
use crate::metrics::server_side::ServerTimes;
use crate::results::record_file::bytes::{Bytes, put_distance, put_number, put_text};
use crate::results::record_file::{Damage, Frame, Header, Part};
use crate::units::Nanos;

const HEADER: u8 = 1;
const PART: u8 = 2;
const RECORD: u8 = 3;
const END: u8 = 4;

/// The previous record, because only differences are stored. It is reset with every part.
#[derive(Clone, Debug, Default)]
struct Last {
    due_ns: Nanos,
    id: Vec<u8>,
}

/// Appends frames to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    last: Last,
    /// The current frame's body; kept to reuse its memory.
    body: Vec<u8>,
}

impl Encoder {
    pub(crate) fn header(&mut self, header: &Header, out: &mut Vec<u8>) {
        self.body.extend(serde_json::to_vec(header).expect("a header is plain data"));
        self.frame(HEADER, out);
    }

    pub(crate) fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.last = Last::default();
        put_text(&mut self.body, part.session.as_bytes());
        put_number(&mut self.body, part.round.into());
        put_number(&mut self.body, part.began_ns);
        self.frame(PART, out);
    }

    pub(crate) fn record(&mut self, record: &RequestRecord, out: &mut Vec<u8>) {
        let body = &mut self.body;
        let id = record.id.as_bytes();
        let shared = self.last.id.iter().zip(id).take_while(|(last, this)| last == this).count();
        put_number(body, shared as u64);
        put_text(body, &id[shared..]);
        put_distance(body, self.last.due_ns, record.due_ns);
        put_distance(body, record.due_ns, record.taken_ns);
        put_distance(body, record.taken_ns, record.sent_ns);
        put_number(body, record.content_ns.len() as u64);
        let (mut last_ns, mut last_gap_ns) = (record.sent_ns, 0);
        for at_ns in record.content_ns.iter().chain([&record.end_ns]) {
            let gap_ns = at_ns.wrapping_sub(last_ns);
            put_distance(body, last_gap_ns, gap_ns);
            (last_ns, last_gap_ns) = (*at_ns, gap_ns);
        }
        put_number(body, record.input_tokens.map_or(0, |tokens| u64::from(tokens) + 1));
        put_number(body, record.output_tokens.into());
        body.push(place(&TOKEN_COUNTS, &record.tokens_counted_by));
        body.push(record.finish.map_or(0, |finish| 1 + place(&FINISHES, &finish)));
        put_number(body, record.reconnects.into());
        match &record.outcome {
            Ok(()) => body.push(0),
            Err(failure) => {
                body.push(1 + place(&FailureClass::ALL, &failure.class));
                put_text(body, failure.detail.as_bytes());
            }
        }
        if record.server_times != ServerTimes::default() {
            body.extend(serde_json::to_vec(&record.server_times).expect("times are plain data"));
        }
        self.last.due_ns = record.due_ns;
        self.last.id.truncate(shared);
        self.last.id.extend_from_slice(&id[shared..]);
        self.frame(RECORD, out);
    }

    /// Marks the end of what one writer wrote, with the number of its records.
    pub(crate) fn end(&mut self, records: u64, out: &mut Vec<u8>) {
        put_number(&mut self.body, records);
        self.frame(END, out);
    }

    fn frame(&mut self, kind: u8, out: &mut Vec<u8>) {
        out.push(kind);
        put_text(out, &self.body);
        self.body.clear();
    }
}

/// Decodes frames in the order in which they were written.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The version of the format.
    version: u8,
    last: Last,
}

impl Decoder {
    pub(crate) fn new(version: u8) -> Decoder {
        Decoder { version, last: Last::default() }
    }

    pub(crate) fn frame(&mut self, kind: u8, body: &[u8]) -> Result<Frame, Damage> {
        let mut bytes = Bytes(body);
        match kind {
            HEADER => {
                let header = serde_json::from_slice(body);
                header
                    .map(|header| Frame::Header(Box::new(header)))
                    .map_err(|error| Damage(format!("can't read the header: {error}")))
            }
            PART => {
                self.last = Last::default();
                let (session, round) = (bytes.text()?.to_owned(), bytes.small()?);
                Ok(Frame::Part(Part { session, round, began_ns: bytes.number()? }))
            }
            RECORD => self.record(bytes).map(|record| Frame::Record(Box::new(record))),
            END => Ok(Frame::End { records: bytes.number()? }),
            other => Err(Damage(format!("unknown frame kind {other}"))),
        }
    }

    fn record(&mut self, mut bytes: Bytes) -> Result<RequestRecord, Damage> {
        let id = self.id(&mut bytes)?;
        let due_ns = bytes.distance(self.last.due_ns)?;
        self.last.due_ns = due_ns;
        let taken_ns = bytes.distance(due_ns)?;
        // Version 2 did not distinguish the two.
        let sent_ns = if self.version > 2 { bytes.distance(taken_ns)? } else { taken_ns };
        let chunks = bytes.number()?;
        if chunks > bytes.len() {
            return Err(Damage(format!("a record of {} bytes can't have {chunks} chunks", bytes.len())));
        }
        let (mut last_ns, mut last_gap_ns) = (sent_ns, 0);
        let mut next = |bytes: &mut Bytes| {
            last_gap_ns = bytes.distance(last_gap_ns)?;
            last_ns = last_ns.wrapping_add(last_gap_ns);
            Ok(last_ns)
        };
        Ok(RequestRecord {
            id,
            due_ns,
            taken_ns,
            sent_ns,
            content_ns: (0..chunks).map(|_| next(&mut bytes)).collect::<Result<_, Damage>>()?,
            end_ns: next(&mut bytes)?,
            input_tokens: bytes.small()?.checked_sub(1),
            output_tokens: bytes.small()?,
            tokens_counted_by: *at(&TOKEN_COUNTS, bytes.byte()?)?,
            finish: optional(&FINISHES, bytes.byte()?)?.copied(),
            reconnects: bytes.small()?,
            outcome: match optional(&FailureClass::ALL, bytes.byte()?)? {
                None => Ok(()),
                Some(class) => Err(Failure { class: *class, detail: bytes.text()?.to_owned() }),
            },
            server_times: match bytes.0 {
                [] => ServerTimes::default(),
                json => serde_json::from_slice(json)
                    .map_err(|error| Damage(format!("can't read the engine's times: {error}")))?,
            },
        })
    }

    fn id(&mut self, bytes: &mut Bytes) -> Result<String, Damage> {
        let shared = bytes.number()?;
        let suffix = bytes.raw()?;
        if shared > self.last.id.len() as u64 {
            return Err(Damage("an ID shares more bytes with the previous ID than it has".into()));
        }
        self.last.id.truncate(shared as usize);
        self.last.id.extend_from_slice(suffix);
        String::from_utf8(self.last.id.clone()).map_err(|_| Damage("an ID is not UTF-8".into()))
    }
}

/// Stored as indices: only ever append.
const TOKEN_COUNTS: [TokenCount; 2] = [TokenCount::Usage, TokenCount::Chunks];
const FINISHES: [Finish; 3] = [Finish::Length, Finish::Stop, Finish::Other];

fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).expect("the list is complete") as u8
}

fn at<T>(all: &[T], place: u8) -> Result<&T, Damage> {
    all.get(usize::from(place)).ok_or_else(|| Damage(format!("unknown code {place}")))
}

/// 0 stands for none.
fn optional<T>(all: &[T], place: u8) -> Result<Option<&T>, Damage> {
    place.checked_sub(1).map(|place| at(all, place)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::server_side::Mean;
    use crate::results::record_file::VERSION;

    fn record(number: u64) -> RequestRecord {
        let begin_ns = 5_000_000_000_000 + number * 1_300_000_000;
        RequestRecord {
            id: format!("tollgate-1a2b-3c4d5e6f-1-{number}"),
            due_ns: begin_ns,
            taken_ns: begin_ns + 11_000,
            sent_ns: begin_ns + 13_000,
            // With up to 0.2 ms of jitter.
            content_ns: (1..=128)
                .map(|token| begin_ns + 50_000_000 + token * 10_004_321 + token * 123_457 % 200_000)
                .collect(),
            end_ns: begin_ns + 1_330_600_000,
            input_tokens: Some(512),
            output_tokens: 128,
            tokens_counted_by: TokenCount::Usage,
            finish: Some(Finish::Length),
            server_times: ServerTimes::default(),
            reconnects: 0,
            outcome: Ok(()),
        }
    }

    /// One record of every kind.
    fn variety() -> Vec<RequestRecord> {
        let failure = |class| Failure { class, detail: format!("{} — “why”", class.name()) };
        let failed = FailureClass::ALL.map(|class| RequestRecord {
            content_ns: Vec::new(),
            input_tokens: None,
            finish: None,
            tokens_counted_by: TokenCount::Chunks,
            outcome: Err(failure(class)),
            ..record(3)
        });
        let early = RequestRecord { sent_ns: record(0).due_ns - 5, ..record(0) };
        let times = ServerTimes { decode_ms: Mean { count: 7, mean: 12.5 }, ..ServerTimes::default() };
        let other = RequestRecord {
            id: "other".into(),
            server_times: times,
            reconnects: 2,
            finish: Some(Finish::Other),
            ..record(1)
        };
        [record(7), early, other, record(2)].into_iter().chain(failed).collect()
    }

    fn frames(mut bytes: &[u8]) -> Result<Vec<Frame>, Damage> {
        let (mut decoder, mut frames) = (Decoder::new(VERSION), Vec::new());
        while let Some((kind, rest)) = bytes.split_first() {
            let mut rest = Bytes(rest);
            frames.push(decoder.frame(*kind, rest.raw()?)?);
            bytes = rest.0;
        }
        Ok(frames)
    }

    #[test]
    fn every_kind_of_record_reads_back_in_its_part() {
        let (mut encoder, mut out) = (Encoder::default(), Vec::new());
        let parts = [1, 2].map(|round| Part { session: "session 1".into(), round, began_ns: 7 });
        let mut expected = Vec::new();
        for part in parts {
            encoder.part(&part, &mut out);
            variety().iter().for_each(|record| encoder.record(record, &mut out));
            expected.push(Frame::Part(part));
            expected.extend(variety().into_iter().map(|record| Frame::Record(Box::new(record))));
        }
        let records = 2 * variety().len() as u64;
        encoder.end(records, &mut out);
        expected.push(Frame::End { records });
        assert_eq!(frames(&out).unwrap(), expected);
    }

    #[test]
    fn in_version_2_a_request_is_taken_when_it_is_sent() {
        let mut body = Vec::new();
        put_number(&mut body, 0);
        put_text(&mut body, b"r");
        [5, 3].into_iter().for_each(|distance| put_distance(&mut body, 0, distance));
        put_number(&mut body, 0);
        put_distance(&mut body, 0, 4);
        // No tokens and no reconnects; the outcome is the seventh failure class.
        body.extend([0, 0, 1, 0, 0, 7]);
        put_text(&mut body, b"why");
        let frame = Decoder::new(2).frame(RECORD, &body).unwrap();
        let late = Failure { class: FailureClass::Late, detail: "why".into() };
        let expected = RequestRecord { id: "r".into(), end_ns: 12, ..RequestRecord::not_sent(5, 8, late) };
        assert_eq!(frame, Frame::Record(Box::new(expected)));
    }

    #[test]
    fn a_request_of_128_tokens_takes_about_400_bytes() {
        let (mut encoder, mut out) = (Encoder::default(), Vec::new());
        (0..100).for_each(|number| encoder.record(&record(number), &mut out));
        assert!((300..450).contains(&(out.len() / 100)), "{}", out.len() / 100);
    }

    #[test]
    fn no_changed_byte_makes_a_reader_panic() {
        let (mut encoder, mut out) = (Encoder::default(), Vec::new());
        variety().iter().for_each(|record| {
            encoder.record(&RequestRecord { content_ns: vec![1, 2], ..record.clone() }, &mut out)
        });
        for index in 0..out.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = out.clone();
                damaged[index] = byte;
                let _ = frames(&damaged);
            }
        }
    }
}
