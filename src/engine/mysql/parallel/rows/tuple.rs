//! A row as `mysqldump --hex-blob` writes it: `(1,'it\'s',0x00FF,NULL)`, but FLOATs with all of their digits.
//!
//! The rules are those of its `dump_table`, the same in MySQL's client and in MariaDB's; the text of a number, a date or
//! a `json` is the server's own in both.

use mysql_async::consts::ColumnType;
use mysql_async::{Column, Row, Value};

/// How a column's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the server says it.
    Number,
    /// A FLOAT, which the server says as a double.
    Float,
    /// In quotes.
    Text,
    /// As hexadecimal digits.
    Hex,
}

/// The number of the character set `binary`.
const BINARY: u16 = 63;

impl Shape {
    pub(super) fn of(column: &Column) -> Self {
        // A double that is no column's own is a FLOAT: see `Table::selected`.
        let float = column.column_type() == ColumnType::MYSQL_TYPE_DOUBLE && column.org_name_ref().is_empty();
        if float { Self::Float } else { Self::new(column.column_type(), column.character_set()) }
    }

    fn new(kind: ColumnType, character_set: u16) -> Self {
        use ColumnType as C;
        match kind {
            C::MYSQL_TYPE_TINY
            | C::MYSQL_TYPE_SHORT
            | C::MYSQL_TYPE_LONG
            | C::MYSQL_TYPE_FLOAT
            | C::MYSQL_TYPE_DOUBLE
            | C::MYSQL_TYPE_NULL
            | C::MYSQL_TYPE_LONGLONG
            | C::MYSQL_TYPE_INT24
            | C::MYSQL_TYPE_YEAR
            | C::MYSQL_TYPE_NEWDECIMAL => Self::Number,
            C::MYSQL_TYPE_BIT
            | C::MYSQL_TYPE_STRING
            | C::MYSQL_TYPE_VAR_STRING
            | C::MYSQL_TYPE_VARCHAR
            | C::MYSQL_TYPE_TINY_BLOB
            | C::MYSQL_TYPE_BLOB
            | C::MYSQL_TYPE_MEDIUM_BLOB
            | C::MYSQL_TYPE_LONG_BLOB
            | C::MYSQL_TYPE_VECTOR
            | C::MYSQL_TYPE_GEOMETRY
                if character_set == BINARY =>
            {
                Self::Hex
            }
            _ => Self::Text,
        }
    }
}

/// Appends a row.
pub(super) fn append(shapes: &[Shape], row: &Row, out: &mut Vec<u8>) {
    for (n, shape) in shapes.iter().enumerate() {
        out.push(if n == 0 { b'(' } else { b',' });
        // Whatever a statement sends as text comes as bytes.
        match row.as_ref(n) {
            Some(Value::Bytes(value)) => append_value(*shape, value, out),
            _ => out.extend_from_slice(b"NULL"),
        }
    }
    out.push(b')');
}

fn append_value(shape: Shape, value: &[u8], out: &mut Vec<u8>) {
    match (shape, value) {
        (_, []) => out.extend_from_slice(b"''"),
        // `nan`, `inf`: no literals.
        (Shape::Number, [b'-', first, ..] | [first, ..]) if first.is_ascii_alphabetic() => {
            out.extend_from_slice(b"NULL");
        }
        (Shape::Number, _) => out.extend_from_slice(value),
        (Shape::Float, _) => append_float(value, out),
        (Shape::Hex, _) => append_hex(value, out),
        (Shape::Text, _) => append_text(value, out),
    }
}

/// Appends the shortest text that the server reads as the same FLOAT: it takes it for a double first, refuses what is
/// beyond the greatest FLOAT, and takes `-0` for a whole number, which has no sign.
fn append_float(double: &[u8], out: &mut Vec<u8>) {
    let value: Option<f64> = std::str::from_utf8(double).ok().and_then(|text| text.parse().ok());
    let Some(value) = value.filter(|value| value.is_finite()) else { return out.extend_from_slice(double) };
    if value == 0.0 {
        return out.extend_from_slice(if value.is_sign_negative() { b"-0e0" } else { b"0" });
    }
    #[expect(clippy::cast_possible_truncation, reason = "every FLOAT is exact as a double")]
    let float = value as f32;
    let shortest = if (1e-5..1e15).contains(&float.abs()) { float.to_string() } else { format!("{float:e}") };
    #[expect(clippy::cast_possible_truncation, reason = "as the server does it")]
    let same = |read: f64| read.abs() <= f64::from(f32::MAX) && (read as f32).to_bits() == float.to_bits();
    let text = if shortest.parse().is_ok_and(same) { shortest.as_bytes() } else { double };
    out.extend_from_slice(text);
}

fn append_hex(value: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(b"0x");
    out.reserve(value.len() * 2);
    for byte in value {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// What follows the backslash for each byte that needs one; 0 for the others.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    escapes[0] = b'0';
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\\' as usize] = b'\\';
    escapes[b'\'' as usize] = b'\'';
    escapes[b'"' as usize] = b'"';
    escapes[0x1a] = b'Z';
    escapes
};

/// In UTF-8 no byte of a longer character is one that needs a backslash.
fn append_text(mut value: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    while let Some(at) = value.iter().position(|&byte| ESCAPES[usize::from(byte)] != 0) {
        out.extend_from_slice(&value[..at]);
        out.extend_from_slice(&[b'\\', ESCAPES[usize::from(value[at])]]);
        value = &value[at + 1..];
    }
    out.extend_from_slice(value);
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(shape: Shape, value: &[u8]) -> String {
        let mut out = Vec::new();
        append_value(shape, value, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn values_are_written_as_mysqldump_writes_them() {
        for (shape, value, text) in [
            (Shape::Number, &b"-1.50"[..], "-1.50"),
            (Shape::Number, b"1e100", "1e100"),
            (Shape::Number, b"nan", "NULL"),
            (Shape::Number, b"-inf", "NULL"),
            (Shape::Number, b"", "''"),
            (Shape::Float, b"0.010516252368688583", "0.010516252"),
            (Shape::Float, b"16777216", "16777216"),
            (Shape::Float, b"3.4028234663852886e38", "3.4028234663852886e38"),
            (Shape::Float, b"1.401298464324817e-45", "1e-45"),
            (Shape::Float, b"-0", "-0e0"),
            (Shape::Hex, b"\x00\xffA", "0x00FF41"),
            (Shape::Hex, b"", "''"),
            (Shape::Text, b"", "''"),
            (Shape::Text, b"2020-01-01", "'2020-01-01'"),
            (Shape::Text, b"a\0b\nc\rd\\e'f\"g\x1ah", r#"'a\0b\nc\rd\\e\'f\"g\Zh'"#),
            (Shape::Text, "snow\u{2603}'".as_bytes(), "'snow\u{2603}\\''"),
        ] {
            assert_eq!(written(shape, value), text);
        }
    }

    proptest! {
        #[test]
        fn every_float_is_read_as_itself(bits in any::<u32>()) {
            let float = f32::from_bits(bits);
            prop_assume!(float.is_finite());
            let text = written(Shape::Float, f64::from(float).to_string().as_bytes());
            let read: f64 = text.parse().expect("a number");
            prop_assert!(read.abs() <= f64::from(f32::MAX));
            #[expect(clippy::cast_possible_truncation, reason = "as the server does it")]
            let read = read as f32;
            prop_assert_eq!(read.to_bits(), bits);
        }
    }

    #[test]
    fn only_binary_strings_are_written_in_hex() {
        use ColumnType as C;
        const UTF8: u16 = 45;
        for (kind, character_set, shape) in [
            (C::MYSQL_TYPE_BIT, BINARY, Shape::Hex),
            (C::MYSQL_TYPE_BLOB, BINARY, Shape::Hex),
            (C::MYSQL_TYPE_BLOB, UTF8, Shape::Text),
            (C::MYSQL_TYPE_STRING, BINARY, Shape::Hex),
            (C::MYSQL_TYPE_GEOMETRY, BINARY, Shape::Hex),
            (C::MYSQL_TYPE_JSON, BINARY, Shape::Text),
            (C::MYSQL_TYPE_DATETIME, BINARY, Shape::Text),
            (C::MYSQL_TYPE_TIMESTAMP, BINARY, Shape::Text),
            (C::MYSQL_TYPE_YEAR, BINARY, Shape::Number),
            (C::MYSQL_TYPE_NEWDECIMAL, BINARY, Shape::Number),
        ] {
            assert_eq!(Shape::new(kind, character_set), shape, "{kind:?}");
        }
    }
}
