//! Bytes of effects, decisions and recorded inputs: varints, lengths, tags.
//!
//! Every enum variant is written as `tag, length, fields in order`. A tag's meaning never changes, fields are only
//! appended, and a field that is missing at the end of a body has its default: an old record reads in a new binary.
//! An unknown tag is an error (`Malformed`), never skipped: a reader that skipped an effect would rebuild another state.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes that this build cannot read, with the place in the code that found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "malformed bytes: {}", self.0)
    }
}

impl core::error::Error for Malformed {}

/// A value with one encoding.
pub trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// A cursor over bytes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn slice(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        if len > self.bytes.len() {
            return Err(Malformed("a length passes the end"));
        }
        let (head, tail) = self.bytes.split_at(len);
        self.bytes = tail;
        Ok(head)
    }

    /// A length-prefixed part.
    pub fn part(&mut self) -> Result<Reader<'a>, Malformed> {
        let len = self.varint()? as usize;
        Ok(Reader::new(self.slice(len)?))
    }

    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        let mut shift = 0;
        for (i, byte) in self.bytes.iter().enumerate() {
            if shift == 63 && *byte > 1 {
                return Err(Malformed("a varint passes 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[i + 1..];
                return Ok(value);
            }
            shift += 7;
            if shift > 63 {
                return Err(Malformed("a varint passes 64 bits"));
            }
        }
        Err(Malformed("a varint is cut off"))
    }

    /// The next field of a body, or its default where the body has ended (it was written before the field existed).
    pub fn field<T: Wire + Default>(&mut self) -> Result<T, Malformed> {
        if self.is_empty() { Ok(T::default()) } else { T::take(self) }
    }
}

#[inline]
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Opens a length-prefixed body; `end` closes it.
#[inline]
pub fn begin(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

#[inline]
pub fn end(at: usize, out: &mut Vec<u8>) {
    let len = out.len() - at;
    if len < 0x80 {
        out[at - 1] = len as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(5);
    put_varint(len as u64, &mut prefix);
    out.splice(at - 1..at, prefix);
}

macro_rules! unsigned {
    ($($t:ty),*) => {$(
        impl Wire for $t {
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                put_varint(u64::from(*self), out);
            }
            fn take(reader: &mut Reader<'_>) -> Result<$t, Malformed> {
                <$t>::try_from(reader.varint()?).map_err(|_| Malformed("a number is too large for its field"))
            }
        }
    )*};
}
unsigned!(u8, u16, u32, u64);

impl Wire for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(((self << 1) ^ (self >> 63)) as u64, out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<i64, Malformed> {
        let raw = reader.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        match reader.slice(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a flag is neither 0 nor 1")),
        }
    }
}

impl Wire for u128 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn take(reader: &mut Reader<'_>) -> Result<u128, Malformed> {
        let bytes = reader.slice(16)?;
        Ok(u128::from_le_bytes(bytes.try_into().map_err(|_| Malformed("16 bytes"))?))
    }
}

impl Wire for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        out.extend_from_slice(self.as_bytes());
    }
    fn take(reader: &mut Reader<'_>) -> Result<Box<str>, Malformed> {
        let bytes = reader.part()?.rest();
        let text = core::str::from_utf8(bytes).map_err(|_| Malformed("a text is not UTF-8"))?;
        Ok(String::from(text).into_boxed_str())
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.put(out);
            }
        }
    }
    fn take(reader: &mut Reader<'_>) -> Result<Option<T>, Malformed> {
        if bool::take(reader)? { Ok(Some(T::take(reader)?)) } else { Ok(None) }
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Box<T>, Malformed> {
        Ok(Box::new(T::take(reader)?))
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        for item in self {
            item.put(out);
        }
    }
    fn take(reader: &mut Reader<'_>) -> Result<Vec<T>, Malformed> {
        let len = reader.varint()? as usize;
        // Every item takes at least one byte, so a hostile length allocates no more than the input holds.
        if len > reader.rest().len() {
            return Err(Malformed("a list is longer than its bytes"));
        }
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(T::take(reader)?);
        }
        Ok(items)
    }
}

/// A struct written as a length-prefixed body of its fields in order.
macro_rules! wire_struct {
    ($(#[$meta:meta])* pub struct $name:ident { $( $(#[$fmeta:meta])* pub $field:ident : $type:ty ),* $(,)? }) => {
        $(#[$meta])*
        pub struct $name { $( $(#[$fmeta])* pub $field: $type ),* }
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut alloc::vec::Vec<u8>) {
                let at = $crate::wire::begin(out);
                $( $crate::wire::Wire::put(&self.$field, out); )*
                $crate::wire::end(at, out);
            }
            fn take(reader: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::Malformed> {
                let mut body = reader.part()?;
                Ok($name { $( $field: body.field::<$type>()? ),* })
            }
        }
    };
}
pub(crate) use wire_struct;

/// An enum written as `tag, length, fields`; see the top of the file.
macro_rules! wire_enum {
    ($(#[$meta:meta])* pub enum $name:ident {
        $( $(#[$vmeta:meta])* $tag:literal => $variant:ident { $( $(#[$fmeta:meta])* $field:ident : $type:ty ),* $(,)? } ),* $(,)?
    }) => {
        $(#[$meta])*
        pub enum $name { $( $(#[$vmeta])* $variant { $( $(#[$fmeta])* $field: $type ),* } ),* }
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut alloc::vec::Vec<u8>) {
                match self { $(
                    $name::$variant { $( $field ),* } => {
                        $crate::wire::put_varint($tag, out);
                        let at = $crate::wire::begin(out);
                        $( $crate::wire::Wire::put($field, out); )*
                        $crate::wire::end(at, out);
                    }
                )* }
            }
            fn take(reader: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::Malformed> {
                let tag = reader.varint()?;
                #[allow(unused_mut, unused_variables)]
                let mut body = reader.part()?;
                match tag {
                    $( $tag => Ok($name::$variant { $( $field: body.field::<$type>()? ),* }), )*
                    _ => Err($crate::wire::Malformed(concat!("unknown tag of ", stringify!($name)))),
                }
            }
        }
    };
}
pub(crate) use wire_enum;

/// An enum of plain names, each with its number on the wire and its word in JSON, labels and files.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $number:literal $word:literal ),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $( $(#[$vmeta])* $variant = $number ),* }
        #[allow(dead_code)]
        impl $name {
            pub const ALL: &'static [$name] = &[ $( $name::$variant ),* ];
            pub const fn word(self) -> &'static str {
                match self { $( $name::$variant => $word ),* }
            }
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $( $word => Some($name::$variant), )* _ => None }
            }
            pub const fn from_number(number: u8) -> Option<$name> {
                match number { $( $number => Some($name::$variant), )* _ => None }
            }
        }
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut alloc::vec::Vec<u8>) {
                out.push(*self as u8);
            }
            fn take(reader: &mut $crate::wire::Reader<'_>) -> Result<$name, $crate::wire::Malformed> {
                $name::from_number(reader.slice(1)?[0])
                    .ok_or($crate::wire::Malformed(concat!("unknown word of ", stringify!($name))))
            }
        }
    };
}
pub(crate) use words;
