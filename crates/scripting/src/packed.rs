//! `struct`: values packed as C lays them out.

use mlua::{Lua, MultiValue, Result, Table, Value};

use crate::args::Args;
use crate::number::integer;
use crate::thrown::raise;

const INT_SIZE_MAX: usize = 32;
const ALIGN_MAX: usize = 8;
/// Values that one call may return: as many as a C function's stack holds.
const VALUES_MAX: usize = 7_990;

/// The library.
pub(crate) fn module(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let pack =
        lua.create_function(|lua, values: MultiValue| pack(lua, &Args::new(lua, "pack", &values)))?;
    let unpack = lua.create_function(|lua, values: MultiValue| {
        unpack(lua, &Args::new(lua, "unpack", &values))
    })?;
    let size =
        lua.create_function(|lua, values: MultiValue| size(lua, &Args::new(lua, "size", &values)))?;
    table.raw_set("pack", pack)?;
    table.raw_set("unpack", unpack)?;
    table.raw_set("size", size)?;
    Ok(table)
}

/// A format on its way, up to its first zero.
struct Format<'a> {
    lua: &'a Lua,
    left: &'a [u8],
    big: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, text: &'a [u8]) -> Self {
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        Self { lua, left: &text[..end], big: cfg!(target_endian = "big"), align: 1 }
    }

    fn next(&mut self) -> Option<u8> {
        let (option, rest) = self.left.split_first()?;
        self.left = rest;
        Some(*option)
    }

    fn number(&mut self, default: usize) -> Result<usize> {
        let mut value = None;
        while let Some(digit) = self.left.first().filter(|byte| byte.is_ascii_digit()) {
            let next = value.unwrap_or(0_i32).checked_mul(10);
            let next = next.and_then(|tens| tens.checked_add(i32::from(digit - b'0')));
            let Some(next) = next else { return raise(self.lua, "integral size overflow") };
            value = Some(next);
            self.left = &self.left[1..];
        }
        Ok(value.map_or(default, |value| value as usize))
    }

    /// The bytes that an option stands for; 0: it says so itself, or is for the format only.
    fn size(&mut self, option: u8) -> Result<usize> {
        Ok(match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INT_SIZE_MAX {
                    return raise(
                        self.lua,
                        format!("integral size {size} is larger than limit of {INT_SIZE_MAX}"),
                    );
                }
                size
            }
            _ => 0,
        })
    }

    fn padding(&self, position: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        (size.wrapping_sub(position & size.wrapping_sub(1))) & size.wrapping_sub(1)
    }

    fn control(&mut self, option: u8, args: &Args<'_>) -> Result<()> {
        match option {
            b' ' => {}
            b'>' => self.big = true,
            b'<' => self.big = false,
            b'!' => {
                let align = self.number(ALIGN_MAX)?;
                if !align.is_power_of_two() {
                    return raise(self.lua, format!("alignment {align} is not a power of 2"));
                }
                self.align = align;
            }
            other => {
                let option = String::from_utf8_lossy(&[other]).into_owned();
                return args.refuse(0, &format!("invalid format option '{option}'"));
            }
        }
        Ok(())
    }
}

fn pack(lua: &Lua, args: &Args<'_>) -> Result<Value> {
    let text = args.bytes(0)?;
    let mut format = Format::new(lua, &text);
    let mut out: Vec<u8> = Vec::new();
    // Behind the arguments the reference keeps a nil.
    let args = &args.ending_with_nil();
    let mut at = 1;
    // The padding is reckoned from what the format stands for.
    let mut total = 0;
    while let Some(option) = format.next() {
        let mut size = format.size(option)?;
        let padding = format.padding(total, option, size);
        out.resize(out.len() + padding, 0);
        total += padding;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(args.number(at)?, size, format.big, &mut out);
                at += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                put(&(args.number(at)? as f32).to_le_bytes(), format.big, &mut out);
                at += 1;
            }
            b'd' => {
                put(&args.number(at)?.to_le_bytes(), format.big, &mut out);
                at += 1;
            }
            b'c' | b's' => {
                let bytes = args.bytes(at)?;
                at += 1;
                if size == 0 {
                    size = bytes.len();
                }
                if bytes.len() < size {
                    return args.refuse(at, "string too short");
                }
                out.extend_from_slice(&bytes[..size]);
                if option == b's' {
                    out.push(0);
                    size += 1;
                }
            }
            other => format.control(other, args)?,
        }
        total += size;
    }
    Ok(Value::String(lua.create_string(out)?))
}

/// Bytes of least significance first, in the order asked for.
fn put(bytes: &[u8], big: bool, out: &mut Vec<u8>) {
    if big {
        out.extend(bytes.iter().rev());
    } else {
        out.extend_from_slice(bytes);
    }
}

fn put_integer(number: f64, size: usize, big: bool, out: &mut Vec<u8>) {
    // As C converts it: what is too large for the signed type goes through the unsigned one.
    let value = if number < 0.0 { integer(number).cast_unsigned() } else { unsigned(number) };
    let mut bytes = [0; INT_SIZE_MAX];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    put(&bytes[..size], big, out);
}

fn unsigned(number: f64) -> u64 {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    if number < LIMIT { number as u64 } else { 0 }
}

fn unpack(lua: &Lua, args: &Args<'_>) -> Result<MultiValue> {
    let text = args.bytes(0)?;
    let data = args.bytes(1)?;
    let start = args.integer_or(2, 1)?;
    if start <= 0 {
        return args.refuse(2, "offset must be 1 or greater");
    }
    let mut at = start as usize - 1;
    let mut format = Format::new(lua, &text);
    let mut values: Vec<Value> = Vec::new();
    while let Some(option) = format.next() {
        let mut size = format.size(option)?;
        at = at.saturating_add(format.padding(at, option, size));
        let fits =
            |at: usize, size: usize| at.checked_add(size).is_some_and(|end| end <= data.len());
        if !fits(at, size) {
            return args.refuse(1, "data string too short");
        }
        if values.len() > VALUES_MAX {
            return raise(lua, "stack overflow (too many results)");
        }
        let bytes = &data[at..at + size];
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let signed = option.is_ascii_lowercase();
                values.push(Value::Number(get_integer(bytes, format.big, signed)));
            }
            b'f' => values.push(Value::Number(f32::from_le_bytes(get(bytes, format.big)).into())),
            b'd' => values.push(Value::Number(f64::from_le_bytes(get(bytes, format.big)))),
            b'c' => {
                if size == 0 {
                    let Some(previous) = values.pop().as_ref().and_then(crate::args::to_number)
                    else {
                        return raise(lua, "format 'c0' needs a previous size");
                    };
                    size = unsigned(previous.max(0.0)) as usize;
                    if previous < 0.0 || !fits(at, size) {
                        return args.refuse(1, "data string too short");
                    }
                }
                values.push(Value::String(lua.create_string(&data[at..at + size])?));
            }
            b's' => {
                let Some(end) = data[at..].iter().position(|byte| *byte == 0) else {
                    return raise(lua, "unfinished string in data");
                };
                values.push(Value::String(lua.create_string(&data[at..at + end])?));
                size = end + 1;
            }
            b'x' => {}
            other => format.control(other, args)?,
        }
        at += size;
    }
    values.push(Value::Integer(at as i64 + 1));
    Ok(MultiValue::from(values))
}

/// Bytes of least significance first.
fn get<const N: usize>(bytes: &[u8], big: bool) -> [u8; N] {
    let mut all: [u8; N] = bytes.try_into().expect("the size of the option");
    if big {
        all.reverse();
    }
    all
}

fn get_integer(bytes: &[u8], big: bool, signed: bool) -> f64 {
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) };
    if !signed {
        return value as f64;
    }
    let sign = (bytes.len() as u32 * 8).wrapping_sub(1);
    let mask = u64::MAX.wrapping_shl(sign);
    let value = if value & mask == 0 { value } else { value | mask };
    value.cast_signed() as f64
}

fn size(lua: &Lua, args: &Args<'_>) -> Result<Value> {
    let text = args.bytes(0)?;
    let mut format = Format::new(lua, &text);
    let mut total: usize = 0;
    while let Some(option) = format.next() {
        let size = format.size(option)?;
        total += format.padding(total, option, size);
        if option == b's' {
            return args.refuse(0, "option 's' has no fixed size");
        }
        if option == b'c' && size == 0 {
            return args.refuse(0, "option 'c0' has no fixed size");
        }
        if !option.is_ascii_alphanumeric() {
            format.control(option, args)?;
        }
        total += size;
    }
    Ok(Value::Integer(total as i64))
}
