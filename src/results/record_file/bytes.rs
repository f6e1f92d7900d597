//! Encodes numbers and text as bytes.

use crate::results::record_file::Damage;

/// LEB128: seven bits per byte, low bits first.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Zigzag encoding, so that small numbers are short whatever their sign.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// The signed distance between two times.
pub(crate) fn put_distance(out: &mut Vec<u8>, from: u64, to: u64) {
    put_signed(out, to.wrapping_sub(from) as i64);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// The unread rest of a frame's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn number(&mut self) -> Result<u64, Damage> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Damage("a number does not end".into()))
    }

    pub(crate) fn small(&mut self) -> Result<u32, Damage> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| Damage(format!("expected a 32-bit number, found {number}")))
    }

    /// The time at this distance from `from`.
    pub(crate) fn distance(&mut self, from: u64) -> Result<u64, Damage> {
        let zigzag = self.number()?;
        let signed = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        Ok(from.wrapping_add(signed as u64))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Damage> {
        let bytes = self.raw()?;
        std::str::from_utf8(bytes).map_err(|_| Damage("text is not UTF-8".into()))
    }

    pub(crate) fn raw(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.number()?;
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (bytes, rest) =
            split.ok_or_else(|| Damage(format!("expected {length} bytes, found {}", self.0.len())))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damage> {
        let (byte, rest) = self.0.split_first().ok_or_else(|| Damage("a frame is too short".into()))?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_read_back() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(Bytes(&out).number(), Ok(number));
        }
    }

    #[test]
    fn distances_read_back_in_either_direction() {
        for (from, to) in [(5, 5), (5, 6), (6, 5), (0, u64::MAX), (u64::MAX, 0), (1 << 62, 3)] {
            let mut out = Vec::new();
            put_distance(&mut out, from, to);
            assert_eq!(Bytes(&out).distance(from), Ok(to));
        }
    }

    #[test]
    fn missing_or_invalid_bytes_are_damage() {
        assert!(Bytes(&[]).number().is_err());
        assert!(Bytes(&[0x80; 11]).number().is_err());
        assert!(Bytes(&[9, 1]).raw().is_err());
        assert!(Bytes(&[1, 0xff]).text().is_err());
    }
}
