//! Writes a records file as records arrive.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::metrics::record::{RecordSink, RequestRecord};
use crate::results::record_file::{Encoder, Header, MAGIC, Part, VERSION};
use crate::store::StoreError;

/// The destination of a scenario's records.
#[derive(Clone, Debug)]
pub(crate) struct RecordFile {
    pub path: PathBuf,
    pub header: Header,
}

impl RecordFile {
    /// Replaces any records of an earlier run.
    pub(crate) fn replacing(path: PathBuf, header: Header) -> Result<RecordFile, StoreError> {
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::new("remove", &path, cause))
            }
            _ => Ok(RecordFile { path, header }),
        }
    }

    /// Its name, as referenced in the report.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Appends to the file: every session adds its records.
    pub(crate) fn append(&self) -> Result<RecordLog, StoreError> {
        RecordLog::append(&self.path, &self.header)
    }
}

/// Appends records to a file. A separate thread writes, so the caller never waits for the disk unless it falls behind
/// by `UNWRITTEN_MAX_BYTES`.
pub(crate) struct RecordLog {
    encoder: Encoder,
    buffer: Arc<Buffer>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
}

/// The buffer between the caller and the writer thread.
struct Buffer {
    unwritten: Mutex<Unwritten>,
    /// Notified when a block is full or the log ends.
    is_due: Condvar,
    /// Notified when the writer has taken the buffer.
    is_taken: Condvar,
}

/// Holds only whole frames, so that the file never ends within one unless the disk fails.
#[derive(Default)]
struct Unwritten {
    bytes: Vec<u8>,
    records: u64,
    /// No more records will come, or no more can be written.
    is_over: bool,
}

const BLOCK_BYTES: usize = 64 << 10;
const UNWRITTEN_MAX_BYTES: usize = 16 << 20;
/// The most that a crash may lose.
const OLDEST_UNWRITTEN: Duration = Duration::from_secs(1);

impl RecordLog {
    fn append(path: &Path, header: &Header) -> Result<RecordLog, StoreError> {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let opened = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = opened.map_err(|cause| StoreError::new("write", path, cause))?;
        let (mut encoder, mut unwritten) = (Encoder::default(), Unwritten::default());
        if length == 0 {
            unwritten.bytes.extend_from_slice(MAGIC);
            unwritten.bytes.push(VERSION);
            encoder.header(header, &mut unwritten.bytes);
        }
        let buffer =
            Buffer { unwritten: Mutex::new(unwritten), is_due: Condvar::new(), is_taken: Condvar::new() };
        let (buffer, of_thread) = (Arc::new(buffer), path.to_owned());
        let buffer_of_thread = buffer.clone();
        let write = move || {
            let written = buffer_of_thread.write_all(file, length);
            written.map_err(|cause| StoreError::new("write", &of_thread, cause))
        };
        let thread = thread::Builder::new().name("tollgate-records".into()).spawn(write);
        let thread = thread.map_err(|cause| StoreError::new("write", path, cause))?;
        Ok(RecordLog { encoder, buffer, writer: Some(thread) })
    }

    /// The following records belong to this part.
    pub(crate) fn begin_part(&mut self, part: &Part) {
        self.encoder.part(part, &mut self.buffer.unwritten().bytes);
    }

    /// Waits until everything is written.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        self.close()
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.writer.take() else { return Ok(()) };
        self.buffer.unwritten().is_over = true;
        self.buffer.is_due.notify_one();
        thread.join().expect("the writer only writes")
    }
}

impl RecordSink for RecordLog {
    fn take(&mut self, record: &RequestRecord) {
        let mut unwritten = self.buffer.unwritten();
        while unwritten.bytes.len() >= UNWRITTEN_MAX_BYTES && !unwritten.is_over {
            unwritten = self.buffer.is_taken.wait(unwritten).unwrap_or_else(PoisonError::into_inner);
        }
        // The writer has failed; `finish` returns why.
        if unwritten.is_over {
            return;
        }
        let before = unwritten.bytes.len();
        self.encoder.record(record, &mut unwritten.bytes);
        unwritten.records += 1;
        if before < BLOCK_BYTES && unwritten.bytes.len() >= BLOCK_BYTES {
            self.buffer.is_due.notify_one();
        }
    }
}

impl Drop for RecordLog {
    fn drop(&mut self) {
        // Callers who need the error call `finish`.
        let _ = self.close();
    }
}

/// A file that can be truncated.
trait Disk: Write {
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Buffer {
    fn unwritten(&self) -> MutexGuard<'_, Unwritten> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes after the first `length` bytes. A partial write is truncated, so that another session can append; in
    /// either case, an end frame holds the number of records.
    fn write_all(&self, mut disk: impl Disk, mut length: u64) -> io::Result<()> {
        let mut records = 0;
        let outcome = loop {
            let Unwritten { bytes, records: more, is_over } = self.next();
            if let Err(cause) = disk.write_all(&bytes) {
                self.unwritten().is_over = true;
                self.is_taken.notify_one();
                break disk.cut(length).and(Err(cause));
            }
            length += bytes.len() as u64;
            records += more;
            if is_over {
                break Ok(());
            }
        };
        let mut end = Vec::new();
        if length > 0 {
            Encoder::default().end(records, &mut end);
        }
        outcome.and(disk.write_all(&end))
    }

    /// Waits for a full block, the end, or the maximum age of unwritten records, and takes the buffer.
    fn next(&self) -> Unwritten {
        let is_early = |unwritten: &mut Unwritten| unwritten.bytes.len() < BLOCK_BYTES && !unwritten.is_over;
        let waited = self.is_due.wait_timeout_while(self.unwritten(), OLDEST_UNWRITTEN, is_early);
        let (mut unwritten, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_over = unwritten.is_over;
        let taken = mem::replace(&mut *unwritten, Unwritten { is_over, ..Unwritten::default() });
        self.is_taken.notify_one();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::record_file::example::{header, part, record};
    use crate::store::RecordReader;

    /// Has this much space.
    struct SmallDisk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for &mut SmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room - self.written.len());
            if taken == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Disk for &mut SmallDisk {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.written.truncate(length as usize);
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_keeps_whole_records_and_allows_another_session() {
        let (mut first, mut second) = (Vec::from(MAGIC), Vec::new());
        let mut encoder = Encoder::default();
        first.push(VERSION);
        encoder.header(&header(), &mut first);
        encoder.part(&part("session 1"), &mut first);
        (0..3).for_each(|number| encoder.record(&record(number), &mut first));
        (3..9).for_each(|number| encoder.record(&record(number), &mut second));

        let mut disk = SmallDisk { written: Vec::new(), room: first.len() + second.len() / 2 };
        let unwritten = Mutex::new(Unwritten { bytes: first, records: 3, is_over: false });
        let buffer = Buffer { unwritten, is_due: Condvar::new(), is_taken: Condvar::new() };
        let outcome = thread::scope(|scope| {
            let writer = scope.spawn(|| buffer.write_all(&mut disk, 0));
            while !buffer.unwritten().bytes.is_empty() {
                thread::yield_now();
            }
            *buffer.unwritten() = Unwritten { bytes: second, records: 6, is_over: true };
            buffer.is_due.notify_one();
            writer.join().unwrap()
        });
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.records");
        fs::write(&path, &disk.written).unwrap();
        let mut log = RecordFile { path: path.clone(), header: header() }.append().unwrap();
        log.begin_part(&part("session 2"));
        log.take(&record(9));
        log.finish().unwrap();
        let read: Vec<_> = RecordReader::open(&path).unwrap().map(|item| item.unwrap()).collect();
        let read: Vec<(&str, &str)> =
            read.iter().map(|(part, record)| (part.session.as_str(), record.id.as_str())).collect();
        let first = ["request-0", "request-1", "request-2"].map(|id| ("session 1", id));
        assert_eq!(read, [&first[..], &[("session 2", "request-9")]].concat());
    }
}
