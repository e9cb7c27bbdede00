//! Times of fields in the commands of a log, made absolute and shifted as those of keys are (`absolute`): pure.
//!
//! HEXPIRE and its kin say the time behind the key, HSETEX and HGETEX as an option anywhere but among the
//! fields. Servers write them as times into their logs; what a client sent is understood as well.

use super::absolute::{Time, Word};

/// Shifts the times of fields in a command of that name, which is in lower case; whether it is about such.
pub(super) fn shifted<'a>(
    name: &[u8],
    out: &mut [Word<'a>],
    at: impl Fn(Time, &[u8]) -> Option<Word<'a>>,
) -> bool {
    let time = match name {
        b"hexpire" => Time::Seconds,
        b"hpexpire" => Time::Millis,
        b"hexpireat" => Time::AtSeconds,
        b"hpexpireat" => Time::AtMillis,
        b"hsetex" => return option(out, 2, at),
        b"hgetex" => return option(out, 1, at),
        _ => return false,
    };
    if let Some(ms) = out.get(2).and_then(|word| at(time, word)) {
        out[0] = b"HPEXPIREAT"[..].into();
        out[2] = ms;
    }
    true
}

/// The option that says when; each field takes so many words.
fn option<'a>(
    out: &mut [Word<'a>],
    words: usize,
    at: impl Fn(Time, &[u8]) -> Option<Word<'a>>,
) -> bool {
    let mut n = 2;
    while let Some(value) = out.get(n + 1).cloned() {
        let time = match out[n].to_ascii_lowercase().as_slice() {
            b"fields" => {
                let count = std::str::from_utf8(&value).ok();
                let count = count.and_then(|count| count.parse::<usize>().ok());
                n = n.saturating_add(2 + count.unwrap_or(0).saturating_mul(words));
                continue;
            }
            b"ex" => Time::Seconds,
            b"px" => Time::Millis,
            b"exat" => Time::AtSeconds,
            b"pxat" => Time::AtMillis,
            _ => {
                n += 1;
                continue;
            }
        };
        if let Some(ms) = at(time, &value) {
            out[n] = b"PXAT"[..].into();
            out[n + 1] = ms;
        }
        return true;
    }
    true
}
