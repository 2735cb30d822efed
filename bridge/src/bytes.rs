//! The byte forms in which cold things cross the border: little-endian numbers, u32-prefixed
//! strings.
//!
//! The C++ twin is `src/base/bytes.h`. `Reader` never reads past its end: it answers an error
//! instead.

use crate::error::{BridgeError, Res};

#[derive(Default)]
pub struct Writer {
    pub out: Vec<u8>,
}

impl Writer {
    pub fn u8(&mut self, v: u8) {
        self.out.push(v);
    }
    pub fn bool(&mut self, v: bool) {
        self.out.push(v as u8);
    }
    pub fn u32(&mut self, v: u32) {
        self.out.extend_from_slice(&v.to_le_bytes());
    }
    pub fn u64(&mut self, v: u64) {
        self.out.extend_from_slice(&v.to_le_bytes());
    }
    pub fn f64(&mut self, v: f64) {
        self.out.extend_from_slice(&v.to_le_bytes());
    }
    pub fn str(&mut self, v: &str) {
        self.bytes(v.as_bytes());
    }
    /// Length, then the bytes.
    pub fn bytes(&mut self, v: &[u8]) {
        self.u32(v.len() as u32);
        self.out.extend_from_slice(v);
    }
    /// u8 0, or u8 1 and what `write` writes.
    pub fn opt<T>(&mut self, v: &Option<T>, write: impl FnOnce(&mut Writer, &T)) {
        self.bool(v.is_some());
        if let Some(v) = v {
            write(self, v);
        }
    }
    /// The number of items, then each.
    pub fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
        self.u32(items.len() as u32);
        for item in items {
            write(self, item);
        }
    }
}

pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    fn take(&mut self, n: usize) -> Res<&'a [u8]> {
        if n > self.rest.len() {
            return Err(BridgeError::internal(
                "malformed bytes crossed the border: too short",
            ));
        }
        let (head, tail) = self.rest.split_at(n);
        self.rest = tail;
        Ok(head)
    }
    pub fn u8(&mut self) -> Res<u8> {
        Ok(self.take(1)?[0])
    }
    pub fn u32(&mut self) -> Res<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four")))
    }
    pub fn u64(&mut self) -> Res<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight")))
    }
    pub fn f64(&mut self) -> Res<f64> {
        Ok(f64::from_bits(self.u64()?))
    }
    pub fn bytes(&mut self) -> Res<&'a [u8]> {
        let n = self.u32()? as usize;
        self.take(n)
    }
    pub fn str(&mut self) -> Res<&'a str> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| BridgeError::new("22021", "text is not valid UTF-8"))
    }
    pub fn opt<T>(&mut self, read: impl FnOnce(&mut Self) -> Res<T>) -> Res<Option<T>> {
        Ok(if self.u8()? != 0 {
            Some(read(self)?)
        } else {
            None
        })
    }
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Res<T>) -> Res<Vec<T>> {
        let n = self.u32()?;
        (0..n).map(|_| read(self)).collect()
    }
    pub fn end(&self) -> Res<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(BridgeError::internal(
            "malformed bytes crossed the border: too long",
        ))
    }
}
