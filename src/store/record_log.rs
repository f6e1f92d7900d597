//! A file of records, written while they come.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use crate::clock;
use crate::record::{Nanos, RecordSink, RequestRecord};
use crate::record_file::{Encoder, Header, MAGIC, Part, VERSION};
use crate::store::StoreError;

/// Where the records of a scenario go.
#[derive(Clone, Debug)]
pub struct RecordFile {
    pub path: PathBuf,
    pub header: Header,
}

impl RecordFile {
    /// At a path of the user's choice, where nothing of an earlier run may stay.
    pub fn replacing(path: PathBuf, header: Header) -> Result<RecordFile, StoreError> {
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::new("remove", &path, cause))
            }
            _ => Ok(RecordFile { path, header }),
        }
    }

    /// Its name, as it is told beside the report.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Goes on behind what is there: every session adds its own.
    pub fn append(&self) -> Result<RecordLog, StoreError> {
        RecordLog::append(&self.path, &self.header)
    }
}

/// Appends records to a file. A thread of its own does the writing: whoever hands a record over never waits for the
/// disk, unless that falls behind by `BLOCKS_MAX` blocks.
pub struct RecordLog {
    encoder: Encoder,
    block: Vec<u8>,
    sent_ns: Nanos,
    writer: Option<Writer>,
}

/// What takes blocks, and what becomes of them.
type Writer = (SyncSender<Vec<u8>>, JoinHandle<Result<(), StoreError>>);

const BLOCK_BYTES: usize = 64 << 10;
const BLOCKS_MAX: usize = 256;
/// What a crash may cost.
const OLDEST_UNWRITTEN_NS: Nanos = 1_000_000_000;

impl RecordLog {
    fn append(path: &Path, header: &Header) -> Result<RecordLog, StoreError> {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let opened = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = opened.map_err(|cause| StoreError::new("write", path, cause))?;
        let (mut encoder, mut block) = (Encoder::default(), Vec::with_capacity(2 * BLOCK_BYTES));
        if length == 0 {
            block.extend_from_slice(MAGIC);
            block.push(VERSION);
            encoder.header(header, &mut block);
        }
        let (blocks, received) = mpsc::sync_channel::<Vec<u8>>(BLOCKS_MAX);
        let of_thread = path.to_owned();
        let write = move || write_blocks(&of_thread, file, &received);
        let thread = thread::Builder::new().name("tollgate-records".into()).spawn(write);
        let thread = thread.map_err(|cause| StoreError::new("write", path, cause))?;
        Ok(RecordLog { encoder, block, sent_ns: clock::now(), writer: Some((blocks, thread)) })
    }

    /// The records that follow are of this part.
    pub fn begin_part(&mut self, part: &Part) {
        self.encoder.part(part, &mut self.block);
    }

    /// Waits until everything is written; an error says from where on that failed.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.close()
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let Some((blocks, thread)) = self.writer.take() else { return Ok(()) };
        self.encoder.end(&mut self.block);
        // Without a receiver, the writer has failed and says why.
        let _ = blocks.send(std::mem::take(&mut self.block));
        drop(blocks);
        thread.join().expect("the writer only writes")
    }

    fn send_block(&mut self) {
        self.sent_ns = clock::now();
        if let Some((blocks, _)) = &self.writer {
            let block = std::mem::replace(&mut self.block, Vec::with_capacity(2 * BLOCK_BYTES));
            let _ = blocks.send(block);
        }
    }
}

impl RecordSink for RecordLog {
    fn take(&mut self, record: &RequestRecord) {
        self.encoder.record(record, &mut self.block);
        if self.block.len() >= BLOCK_BYTES || record.end_ns.saturating_sub(self.sent_ns) > OLDEST_UNWRITTEN_NS
        {
            self.send_block();
        }
    }
}

impl Drop for RecordLog {
    fn drop(&mut self) {
        // Whoever wants to know of an error calls `finish`.
        let _ = self.close();
    }
}

fn write_blocks(path: &Path, mut file: File, blocks: &Receiver<Vec<u8>>) -> Result<(), StoreError> {
    blocks
        .iter()
        .try_for_each(|block| file.write_all(&block))
        .map_err(|cause| StoreError::new("write", path, cause))
}
