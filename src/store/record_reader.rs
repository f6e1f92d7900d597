//! Reads a records file, up to where it was truncated if it was.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::metrics::record::RequestRecord;
use crate::results::record_file::{
    Damage, Decoder, FRAME_MAX_BYTES, Frame, Header, MAGIC, OLDEST_VERSION, Part, VERSION,
};
use crate::store::StoreError;

/// Yields records one by one, so that a file may be larger than memory. An error is always the last item.
pub(crate) struct RecordReader {
    pub header: Header,
    frames: Frames,
    part: Part,
    /// Records since the last end; `None` right after one.
    open_records: Option<u64>,
    is_over: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordFileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: expected a records file, which starts with `tollgate-records`", path.display())]
    Other { path: PathBuf },
    #[error("{}: expected format version {OLDEST_VERSION} to {VERSION}, found {found}: another version of tollgate wrote it", path.display())]
    Version { path: PathBuf, found: u8 },
    #[error("{}: truncated after {bytes} bytes because its writer was killed; everything before that is intact", path.display())]
    Cut { path: PathBuf, bytes: u64 },
    #[error("{}: damaged at byte {at}: {damage}; everything before that is intact", path.display())]
    Damaged { path: PathBuf, at: u64, damage: Damage },
}

impl RecordReader {
    pub(crate) fn open(path: &Path) -> Result<RecordReader, RecordFileError> {
        let file = File::open(path).map_err(|cause| StoreError::new("read", path, cause))?;
        let mut frames = Frames::new(path.to_owned(), BufReader::new(file))?;
        let header = match frames.next()? {
            Some(Frame::Header(header)) => *header,
            Some(_) => return Err(frames.damaged(Damage("the first frame is not a header".into()))),
            None => return Err(frames.cut()),
        };
        Ok(RecordReader { header, frames, part: Part::default(), open_records: Some(0), is_over: false })
    }

    fn read(&mut self) -> Result<Option<(Part, RequestRecord)>, RecordFileError> {
        loop {
            let open_records = self.open_records.unwrap_or(0);
            match self.frames.next()? {
                Some(Frame::Record(record)) => {
                    self.open_records = Some(open_records + 1);
                    return Ok(Some((self.part.clone(), *record)));
                }
                Some(Frame::Part(part)) => {
                    self.part = part;
                    self.open_records = Some(open_records);
                }
                Some(Frame::End { records }) if records == open_records => self.open_records = None,
                Some(Frame::End { records }) => {
                    let damage = format!("expected {records} records, found {open_records}");
                    return Err(self.frames.damaged(Damage(damage)));
                }
                Some(Frame::Header(_)) => {
                    return Err(self.frames.damaged(Damage("found a second header".into())));
                }
                None if self.open_records.is_some() => return Err(self.frames.cut()),
                None => return Ok(None),
            }
        }
    }
}

impl Iterator for RecordReader {
    type Item = Result<(Part, RequestRecord), RecordFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.read().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The file as frames.
struct Frames {
    path: PathBuf,
    file: BufReader<File>,
    /// The bytes of all frames read so far.
    read: u64,
    decoder: Decoder,
}

impl Frames {
    fn new(path: PathBuf, mut file: BufReader<File>) -> Result<Frames, RecordFileError> {
        let mut start = Vec::new();
        let read = file.by_ref().take(MAGIC.len() as u64 + 1).read_to_end(&mut start);
        let read = read.map_err(|cause| StoreError::new("read", &path, cause))? as u64;
        match start.strip_prefix(MAGIC) {
            Some(&[version @ OLDEST_VERSION..=VERSION]) => {
                Ok(Frames { path, file, read, decoder: Decoder::new(version) })
            }
            Some(&[found, ..]) => Err(RecordFileError::Version { path, found }),
            // A writer that was killed in its first second leaves an empty file.
            _ if MAGIC.starts_with(&start) => Err(RecordFileError::Cut { path, bytes: read }),
            _ => Err(RecordFileError::Other { path }),
        }
    }

    /// `None` at the end of the file.
    fn next(&mut self) -> Result<Option<Frame>, RecordFileError> {
        if self.file.fill_buf().map_err(|cause| StoreError::new("read", &self.path, cause))?.is_empty() {
            return Ok(None);
        }
        let (kind, body, length) = self.raw().map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => self.cut(),
            io::ErrorKind::InvalidData => self.damaged(Damage(cause.to_string())),
            _ => StoreError::new("read", &self.path, cause).into(),
        })?;
        let frame = self.decoder.frame(kind, &body).map_err(|damage| self.damaged(damage))?;
        self.read += length;
        Ok(Some(frame))
    }

    /// A frame's kind, its body, and its total length in bytes.
    fn raw(&mut self) -> io::Result<(u8, Vec<u8>, u64)> {
        let mut byte = [0];
        self.file.read_exact(&mut byte)?;
        let kind = byte[0];
        let (mut length, mut head) = (0u64, 1);
        for shift in (0..64).step_by(7) {
            self.file.read_exact(&mut byte)?;
            head += 1;
            length |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        if length > FRAME_MAX_BYTES {
            let why = format!("a frame has {length} bytes, more than the allowed {FRAME_MAX_BYTES}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let mut body = Vec::new();
        // Damage may announce more bytes than there are, so memory is only allocated for bytes that exist.
        self.file.by_ref().take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((kind, body, head + length))
    }

    fn cut(&self) -> RecordFileError {
        RecordFileError::Cut { path: self.path.clone(), bytes: self.read }
    }

    fn damaged(&self, damage: Damage) -> RecordFileError {
        RecordFileError::Damaged { path: self.path.clone(), at: self.read, damage }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::metrics::record::RecordSink;
    use crate::results::record_file::example::{header, part, record};
    use crate::store::{RecordFile, RecordLog};

    fn open(path: &Path) -> RecordLog {
        RecordFile { path: path.to_owned(), header: header() }.append().unwrap()
    }

    /// Appends a session with these records.
    fn append(path: &Path, session: &str, numbers: std::ops::Range<u64>) {
        let mut log = open(path);
        log.begin_part(&part(session));
        numbers.for_each(|number| log.take(&record(number)));
        log.finish().unwrap();
    }

    /// All readable records, and the error that ended them, if any.
    fn read(path: &Path) -> (Vec<(String, RequestRecord)>, Option<RecordFileError>) {
        let (mut records, mut error) = (Vec::new(), None);
        match RecordReader::open(path) {
            Ok(reader) => {
                for item in reader {
                    match item {
                        Ok((part, record)) => records.push((part.session, record)),
                        Err(why) => error = Some(why),
                    }
                }
            }
            Err(why) => error = Some(why),
        }
        (records, error)
    }

    #[test]
    fn several_sessions_read_back_from_one_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        append(&path, "session 1", 0..5);
        append(&path, "session 2", 5..9);
        let (records, error) = read(&path);
        assert!(error.is_none(), "{error:?}");
        let expected: Vec<_> = (0..9)
            .map(|number| ((if number < 5 { "session 1" } else { "session 2" }).to_owned(), record(number)))
            .collect();
        assert_eq!(records, expected);
        assert_eq!(RecordReader::open(&path).unwrap().header, header());
    }

    #[test]
    fn a_truncated_file_reads_up_to_its_last_whole_record() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        append(&path, "session 1", 0..4);
        let whole = fs::read(&path).unwrap();
        let mut seen = Vec::new();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (records, error) = read(&path);
            assert!(matches!(error, Some(RecordFileError::Cut { .. })), "{length}: {error:?}");
            let expected: Vec<_> = (0..records.len() as u64).map(record).collect();
            assert_eq!(records.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>(), expected);
            seen.push(records.len());
        }
        assert!(seen.is_sorted() && seen.last() == Some(&4), "{seen:?}");
    }

    #[test]
    fn records_are_written_before_the_log_is_finished() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        let mut log = open(&path);
        log.begin_part(&part("session 1"));
        (0..3).for_each(|number| log.take(&record(number)));
        // The writer thread continues, but the log is never closed and gets no more records.
        std::mem::forget(log);
        let written = std::time::Instant::now();
        while read(&path).0.len() < 3 && written.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let (records, error) = read(&path);
        assert!(records.len() == 3 && matches!(error, Some(RecordFileError::Cut { .. })), "{error:?}");
    }

    #[test]
    fn other_files_other_versions_and_damage_have_own_errors() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        fs::write(&path, "{}").unwrap();
        assert!(matches!(read(&path).1, Some(RecordFileError::Other { .. })));
        append(&folder.path().join("b.records"), "session 1", 0..4);
        let whole = fs::read(folder.path().join("b.records")).unwrap();
        let mut newer = whole.clone();
        newer[MAGIC.len()] = VERSION + 1;
        fs::write(&path, newer).unwrap();
        let error = read(&path).1.unwrap();
        assert!(error.to_string().contains(&format!("found {}", VERSION + 1)), "{error}");
        let zeroed: Vec<u8> = whole.iter().copied().chain([0; 512]).collect();
        fs::write(&path, zeroed).unwrap();
        let (records, error) = read(&path);
        assert_eq!(records.len(), 4);
        assert!(matches!(error, Some(RecordFileError::Damaged { at, .. }) if at == whole.len() as u64));
    }
}
