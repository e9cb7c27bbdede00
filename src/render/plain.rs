//! Plain text: made harmless, measured, clipped and wrapped.
//!
//! Servers, files and users say what they like: a node name may hold an escape sequence that
//! repaints the screen, or a mark that turns the reading direction. Every writer sends what it was
//! given through `clean` first, so none of that reaches a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text on one line, without anything that acts instead of being read: line breaks become
/// spaces; other control characters, direction marks and invisible ones become `�`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_acting) {
        return Cow::Borrowed(text);
    }
    let visible = |c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_acting(c) => '\u{fffd}',
        c => c,
    };
    Cow::Owned(text.trim_end().chars().map(visible).collect())
}

/// The lines of a text, each made harmless; empty ones are left out.
pub fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| clean(line).trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Whether a character does something to the page instead of standing on it.
pub fn is_acting(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

/// Whether a line is one to paste: it must not be broken.
pub fn is_command(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or_default();
    matches!(
        first,
        "goodcache"
            | "redis-cli"
            | "valkey-cli"
            | "docker"
            | "openssl"
            | "systemctl"
            | "sudo"
            | "tr"
            | "kill"
            | "ss"
    ) || line.starts_with("timeout 5 redis-cli ")
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most so many columns, `…` where something went.
pub fn clip(text: &str, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return Cow::Borrowed(text);
    }
    let mut clipped = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        clipped.push(c);
    }
    if room > 0 {
        clipped.push('…');
    }
    Cow::Owned(clipped)
}

/// Breaks a text at spaces into lines of at most so many columns; the first line may have less
/// room. A word that is longer stands alone: addresses and ids are never broken, so that they can
/// be copied.
pub fn wrap(text: &str, first: usize, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut left = first;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = word.width();
        let line = lines.last_mut().map_or(0, |line| line.len());
        let gap = usize::from(line > 0);
        if line > 0 && gap + wide > left {
            lines.push(word.to_owned());
            left = room.saturating_sub(wide);
        } else if let Some(last) = lines.last_mut() {
            if gap == 1 {
                last.push(' ');
            }
            last.push_str(word);
            left = left.saturating_sub(gap + wide);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left() {
        for (text, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred", "\u{fffd}[31mred"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\nb\tc", "a b c"),
            ("abc\u{202e}fdp.exe", "abc\u{fffd}fdp.exe"),
            ("Hœlderlin 日本", "Hœlderlin 日本"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn wide_characters_count_twice() {
        for (text, room, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(clip(text, room), expected, "{text} in {room}");
        }
    }

    #[test]
    fn lines_break_at_spaces_only() {
        assert_eq!(wrap("one two three", 7, 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 3, 9), ["one", "two three"]);
        assert_eq!(
            wrap("a incomprehensible b", 5, 5),
            ["a", "incomprehensible", "b"]
        );
        assert_eq!(wrap("", 5, 5), [""]);
    }
}
