//! A command with room for keys and values, as the built-in loads and load files write it:
//!
//! ```text
//! HSET {key:book:*} {member} {value:40}
//! ```
//!
//! | room | what is put in |
//! |---|---|
//! | `{key:PATTERN}` | a key of the family of that pattern, few of them most of the time; within one line the same one |
//! | `{member}` | a field or member that this key has |
//! | `{value}`, `{value:N}` | letters: as many as the family's values have, or N |
//! | `{number:N}` | a whole number below N |
//!
//! ` ; ` parts commands that go out together and count as one.

use super::random::Random;
use super::shape::{Group, Shape, Type};
use crate::cluster::lane::Batch;

/// The longest value that a line may ask for, in bytes.
const MOST_VALUE: u64 = 8 << 20;

/// Commands that go out together.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    commands: Vec<Vec<Vec<Part>>>,
    /// The family that the key is of; `None` where no key is named.
    pub group: Option<usize>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Said(Vec<u8>),
    Key,
    Member,
    Value(Option<u64>),
    Number(u64),
}

/// What a key is drawn with.
struct Drawn<'a> {
    group: &'a Group,
    number: u64,
}

impl Line {
    /// Reads a line. The error says what is wrong with it.
    pub fn parse(text: &str, shape: &Shape) -> Result<Line, String> {
        Line::read(text, shape, None)
    }

    /// Reads a line of the family at that place: there `{key}` is one of its keys.
    pub fn of(text: &str, shape: &Shape, place: usize) -> Result<Line, String> {
        Line::read(text, shape, Some(place))
    }

    fn read(text: &str, shape: &Shape, group: Option<usize>) -> Result<Line, String> {
        let mut line = Line {
            commands: vec![Vec::new()],
            group,
        };
        for word in text.split_ascii_whitespace() {
            if word == ";" {
                line.commands.push(Vec::new());
                continue;
            }
            let parts = line.parts(word, shape)?;
            if let Some(command) = line.commands.last_mut() {
                command.push(parts);
            }
        }
        if line.commands.iter().any(Vec::is_empty) {
            return Err("a command has no words".to_owned());
        }
        let needs_key = |part: &Part| matches!(part, Part::Member | Part::Value(None));
        let is_lost = line.commands.iter().flatten().flatten().any(needs_key);
        if is_lost && line.group.is_none() {
            return Err("{member} and {value} without a length need a {key:PATTERN}".to_owned());
        }
        Ok(line)
    }

    fn parts(&mut self, word: &str, shape: &Shape) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        let mut rest = word;
        while let Some((said, after)) = rest.split_once('{') {
            let (room, after) = (after.split_once('}'))
                .ok_or_else(|| format!("'{word}' has a '{{' without a '}}'"))?;
            if !said.is_empty() {
                parts.push(Part::Said(said.as_bytes().to_vec()));
            }
            parts.push(self.part(room, shape)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Said(rest.as_bytes().to_vec()));
        }
        Ok(parts)
    }

    fn part(&mut self, room: &str, shape: &Shape) -> Result<Part, String> {
        let (name, rest) = room.split_once(':').unwrap_or((room, ""));
        let number = |most: u64| match rest.parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(format!("'{{{room}}}' needs a whole number up to {most}")),
        };
        Ok(match name {
            "key" if rest.is_empty() && self.group.is_some() => Part::Key,
            "key" => {
                self.name(rest, shape)?;
                Part::Key
            }
            "member" if rest.is_empty() => Part::Member,
            "value" if rest.is_empty() => Part::Value(None),
            "value" => Part::Value(Some(number(MOST_VALUE)?)),
            "number" => Part::Number(number(u64::MAX)?),
            _ => {
                return Err(format!(
                    "'{{{room}}}' is none of {{key:PATTERN}}, {{member}}, {{value}}, {{value:N}}, {{number:N}}"
                ));
            }
        })
    }

    fn name(&mut self, pattern: &str, shape: &Shape) -> Result<(), String> {
        let place = shape.place(pattern).ok_or_else(|| {
            let known = shape.groups.iter().map(|group| group.pattern.clone());
            let known = crate::model::words::listed(known, 8);
            format!("no family of keys is '{pattern}' (there are {known})")
        })?;
        match self.group {
            Some(other) if other != place => Err("a line has keys of one family only".to_owned()),
            _ => {
                self.group = Some(place);
                Ok(())
            }
        }
    }

    /// The first word of each command, in upper case.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let name = |command: &Vec<Vec<Part>>| match command.first().map(Vec::as_slice) {
            Some([Part::Said(said)]) => String::from_utf8_lossy(said).to_ascii_uppercase(),
            _ => "?".to_owned(),
        };
        self.commands.iter().map(name)
    }

    /// Appends the commands with a key and values drawn anew.
    pub fn write(&self, shape: &Shape, random: &mut Random, word: &mut Vec<u8>, to: &mut Batch) {
        let group = self.group.and_then(|place| shape.groups.get(place));
        let drawn = group.map(|group| Drawn {
            group,
            number: random.favoured(group.keys),
        });
        for command in &self.commands {
            to.begin(command.len());
            for parts in command {
                word.clear();
                for part in parts {
                    part.write(drawn.as_ref(), random, word);
                }
                to.word(word);
            }
            to.end();
        }
    }
}

impl Part {
    fn write(&self, drawn: Option<&Drawn>, random: &mut Random, word: &mut Vec<u8>) {
        match (self, drawn) {
            (Part::Said(said), _) => word.extend_from_slice(said),
            (Part::Number(end), _) => word.extend(random.below(*end).to_string().bytes()),
            (Part::Value(Some(bytes)), _) => random.letters(*bytes as usize, word),
            (Part::Key, Some(drawn)) => word.extend(drawn.group.key(drawn.number)),
            (Part::Member, Some(drawn)) => {
                let of = drawn.group.elements_of(drawn.number);
                member(drawn.group, random.below(of), word);
            }
            (Part::Value(None), Some(drawn)) => {
                let bytes = match drawn.group.kind {
                    Type::String => drawn.group.elements_of(drawn.number),
                    _ => drawn.group.value_bytes,
                };
                value(drawn.group, bytes, random, word);
            }
            (Part::Key | Part::Member | Part::Value(None), None) => {}
        }
    }
}

/// A value of that family.
pub fn value(group: &Group, bytes: u64, random: &mut Random, to: &mut Vec<u8>) {
    match group.is_integer {
        true => to.extend((random.number() >> 16).to_string().bytes()),
        false => random.letters(bytes as usize, to),
    }
}

/// The name of an element: of hashes the field, of sets and sorted sets the member itself.
pub fn member(group: &Group, number: u64, to: &mut Vec<u8>) {
    if group.is_integer {
        to.extend((number * 7).to_string().bytes());
        return;
    }
    let begin = to.len();
    to.extend(format!("m{number:06}").bytes());
    if matches!(group.kind, Type::Set | Type::Zset) {
        let bytes = match number {
            0 => group.longest_bytes,
            _ => group.value_bytes,
        };
        let more = bytes.saturating_sub((to.len() - begin) as u64) as usize;
        Random::of(number).letters(more, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        let mut shape = Shape::unseen(1_000, 200_000);
        let strings = shape.groups[0].clone();
        shape.groups.push(Group {
            pattern: "book:*".into(),
            kind: Type::Hash,
            keys: 10,
            ..strings
        });
        shape
    }

    fn written(text: &str) -> Vec<String> {
        let (shape, mut batch) = (shape(), Batch::default());
        let line = Line::parse(text, &shape).unwrap();
        line.write(&shape, &mut Random::of(3), &mut Vec::new(), &mut batch);
        let command = |n| String::from_utf8_lossy(batch.command(n)).into_owned();
        (0..batch.len()).map(command).collect()
    }

    #[test]
    fn rooms_are_filled_and_one_line_has_one_key() {
        let commands = written("LPUSH {key:book:*} x{value:5} ; RPOP {key:book:*}");
        let key = commands[0].split("\r\n").nth(4).unwrap();
        assert!(key.starts_with("book:00000000"), "{key}");
        assert!(commands[1].contains(key), "{commands:?}");
        assert!(commands[0].contains("\r\n$6\r\nx"), "{commands:?}");
        assert_eq!(written("PING"), ["*1\r\n$4\r\nPING\r\n"]);
        let hash = written("HGET {key:book:*} {member}");
        assert!(hash[0].contains("$7\r\nm000"), "{hash:?}");
        assert_eq!(
            written("SETRANGE {key:key:*} {number:1} a")[0]
                .matches("$1\r\n")
                .count(),
            2
        );
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        for (text, why) in [
            ("", "no words"),
            ("GET {key:key:*} ;", "no words"),
            ("GET {key:boks:*}", "no family of keys is 'boks:*'"),
            ("GET {key}", "no family"),
            ("GET {kye:book:*}", "is none of"),
            ("GET {key:book:*", "without a '}'"),
            ("SET x {value}", "need a {key:PATTERN}"),
            ("SET x {value:9999999999}", "whole number"),
            ("MGET {key:key:*} {key:book:*}", "one family"),
        ] {
            let said = Line::parse(text, &shape()).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
