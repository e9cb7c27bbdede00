//! The commands that write the load, kind by kind: the same for the same seed.

use super::books::Books;
use super::random::Random;

const BOOKS: u64 = 10_000;
const DAY_SECONDS: u64 = 86_400;
const TAGS: [&str; 32] = [
    "fiction",
    "fantasy",
    "classics",
    "young-adult",
    "romance",
    "mystery",
    "thriller",
    "history",
    "science-fiction",
    "horror",
    "biography",
    "poetry",
    "humour",
    "crime",
    "adventure",
    "children",
    "dystopia",
    "vampires",
    "war",
    "travel",
    "philosophy",
    "memoir",
    "short-stories",
    "favourites",
    "to-read",
    "owned",
    "book-club",
    "audiobook",
    "school",
    "series",
    "größte",
    "日本",
];

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `book:<id>`
    Book,
    /// `book:<id>:tags`
    Tags,
    /// `session:<32 hex digits>`
    Session,
    /// `recs:user:<n>`
    Recommendations,
    /// `ratings:user:<n>`
    Ratings,
    /// `viewed:user:<n>`
    Viewed,
    /// `counter:book:<id>:<n>`
    Counter,
    /// `events:<0-63>`
    Events,
    /// `leaderboard:{all}`
    Leaderboard,
    /// Bytes, braces and emptiness where nobody expects them.
    Odd,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 10] = [
        Kind::Book,
        Kind::Tags,
        Kind::Session,
        Kind::Recommendations,
        Kind::Ratings,
        Kind::Viewed,
        Kind::Counter,
        Kind::Events,
        Kind::Leaderboard,
        Kind::Odd,
    ];

    /// How many keys of it the whole load holds.
    const fn whole(self) -> u64 {
        match self {
            Kind::Book | Kind::Tags => BOOKS,
            Kind::Session => 400_000,
            Kind::Recommendations | Kind::Ratings | Kind::Viewed => 53_424,
            Kind::Counter => 200_000,
            Kind::Events => 64,
            Kind::Leaderboard => 1,
            Kind::Odd => 200,
        }
    }

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Book => "books",
            Kind::Tags => "tags",
            Kind::Session => "sessions",
            Kind::Recommendations => "recommendations",
            Kind::Ratings => "ratings",
            Kind::Viewed => "viewed",
            Kind::Counter => "counters",
            Kind::Events => "events",
            Kind::Leaderboard => "leaderboard",
            Kind::Odd => "odd ones",
        }
    }
}

/// One command, and the key that it is about.
pub struct Command {
    /// The key, which decides where it goes.
    pub key: Vec<u8>,
    /// Its name and arguments.
    pub args: Vec<Vec<u8>>,
}

/// The load at some scale.
pub struct Load<'a> {
    /// The real part of it.
    pub books: &'a Books,
    /// 1.0 is 780,000 keys; every kind keeps its share, and at least one key.
    pub scale: f64,
    /// Which of the many made-up worlds.
    pub seed: u64,
    /// Seconds since the epoch; sessions expire after it.
    pub now: u64,
}

impl Load<'_> {
    /// How many keys of that kind there are.
    pub fn count(&self, kind: Kind) -> u64 {
        let scaled = (kind.whole() as f64 * self.scale).ceil() as u64;
        match kind {
            Kind::Odd => scaled.max(odd().len() as u64),
            // A stream's number is 0 to 63; larger loads put more into each.
            Kind::Events => scaled.clamp(1, kind.whole()),
            Kind::Leaderboard => 1,
            _ => scaled.max(1),
        }
    }

    /// How many keys there are in all.
    pub fn keys(&self) -> u64 {
        Kind::ALL.iter().map(|&kind| self.count(kind)).sum()
    }

    /// All commands of a kind, in order.
    pub fn commands(&self, kind: Kind) -> impl Iterator<Item = Command> {
        (0..self.count(kind)).flat_map(move |n| self.key(kind, n))
    }

    /// The commands that make the `n`th key of a kind.
    fn key(&self, kind: Kind, n: u64) -> Vec<Command> {
        let random = &mut Random::new(self.seed, n * 16 + kind as u64);
        match kind {
            Kind::Book => vec![self.book(n)],
            Kind::Tags => vec![tags(n, random)],
            Kind::Session => vec![self.session(random)],
            Kind::Recommendations => vec![recommendations(n, random)],
            Kind::Ratings => vec![ratings(n, random)],
            Kind::Viewed => vec![self.viewed(n, random)],
            Kind::Counter => vec![counter(n, random)],
            Kind::Events => events(n, random),
            Kind::Leaderboard => self.leaderboard(random),
            Kind::Odd => vec![
                odd()
                    .into_iter()
                    .nth(n as usize)
                    .unwrap_or_else(|| bytes(random)),
            ],
        }
    }

    fn book(&self, n: u64) -> Command {
        let mut args = Vec::new();
        for (column, value) in self.books.columns.iter().zip(self.books.row(n)) {
            args.push(column.as_str().into());
            args.push(match column.as_str() {
                "book_id" => number(n + 1),
                _ => value.as_str().into(),
            });
        }
        command("HSET", format!("book:{}", n + 1), args)
    }

    fn session(&self, random: &mut Random) -> Command {
        let key = format!("session:{:016x}{:016x}", random.next(), random.next());
        let user = 1 + random.below(53_424);
        let title = self.books.title(random.below(BOOKS));
        let mut json = format!(
            r#"{{"user":{user},"cart":{:?},"reading":{title:?},"token":""#,
            random.different(5, BOOKS)
        );
        let length = 300 + random.below(501) as usize;
        while json.len() + 2 < length {
            json.push_str(&format!("{:016x}", random.next()));
        }
        json.truncate(length.max(json.len().min(800)) - 2);
        json.push_str("\"}");
        let expiry = self.now + DAY_SECONDS + random.below(11 * DAY_SECONDS);
        let args = vec![json.into_bytes(), "EXAT".into(), number(expiry)];
        command("SET", key, args)
    }

    fn viewed(&self, n: u64, random: &mut Random) -> Command {
        let titles = random.different(20, BOOKS).into_iter();
        let titles = titles.map(|id| self.books.title(id).into()).collect();
        command("RPUSH", format!("viewed:user:{}", n + 1), titles)
    }

    /// In pieces, so that no single command holds a server up.
    fn leaderboard(&self, random: &mut Random) -> Vec<Command> {
        let readers = ((300_000.0 * self.scale).ceil() as u64).max(10);
        let mut commands = Vec::new();
        for start in (0..readers).step_by(500) {
            let args = (start..readers.min(start + 500))
                .flat_map(|reader| [number(random.below(1_000_000)), name("reader", reader)])
                .collect();
            commands.push(command("ZADD", "leaderboard:{all}", args));
        }
        commands
    }
}

fn tags(n: u64, random: &mut Random) -> Command {
    let tags = random.different(20, TAGS.len() as u64).into_iter();
    let tags = tags.map(|tag| TAGS[tag as usize].into()).collect();
    command("SADD", format!("book:{}:tags", n + 1), tags)
}

fn recommendations(n: u64, random: &mut Random) -> Command {
    let books = random.different(50, BOOKS).into_iter();
    let args = books
        .flat_map(|id| {
            let score = format!("{}.{:03}", random.below(5), random.below(1000));
            [score.into_bytes(), number(id + 1)]
        })
        .collect();
    command("ZADD", format!("recs:user:{}", n + 1), args)
}

fn ratings(n: u64, random: &mut Random) -> Command {
    let books = random.different(112, BOOKS).into_iter();
    let args = books
        .flat_map(|id| [number(id + 1), number(1 + random.below(5))])
        .collect();
    command("HSET", format!("ratings:user:{}", n + 1), args)
}

fn counter(n: u64, random: &mut Random) -> Command {
    let key = format!("counter:book:{}:{}", n / 20 + 1, n % 20);
    command("SET", key, vec![number(random.below(1_000_000_000))])
}

fn events(n: u64, random: &mut Random) -> Vec<Command> {
    let key = format!("events:{n}");
    let mut commands: Vec<Command> = (1..=20)
        .map(|id| {
            let args = vec![
                format!("{id}-1").into_bytes(),
                "book".into(),
                number(1 + random.below(BOOKS)),
                "act".into(),
                "view".into(),
            ];
            command("XADD", key.clone(), args)
        })
        .collect();
    commands.push(Command {
        key: key.clone().into_bytes(),
        args: ["XGROUP", "CREATE", &key, "recommender", "10-1"]
            .map(Vec::from)
            .to_vec(),
    });
    commands
}

/// Keys and values that a careless tool trips over.
fn odd() -> Vec<Command> {
    let set = |key: &[u8], value: &[u8]| command("SET", key, vec![value.to_vec()]);
    let every_byte: Vec<u8> = (0..=255).collect();
    vec![
        set(b"", b"the empty key"),
        set(b"odd:empty-value", b""),
        set(b"odd:{}", b"an empty tag is no tag"),
        set(b"odd:{}{tag}", b"nor is one after it"),
        set(b"odd:{{nested}}", b"the tag is {nested"),
        set(b"odd:}{", b"closed before it opens"),
        set(b"odd:{open", b"never closed"),
        set(b"odd:{a}{b}", b"the first tag counts"),
        set(b"odd:\r\n+OK\r\n", b"a reply inside a key"),
        set(b"odd:\0\xff\xfe", &every_byte),
        set(&every_byte, b"\0"),
        set("odd:größte-日本".as_bytes(), "ü".as_bytes()),
        command(
            "HSET",
            "odd:hash",
            vec![vec![], vec![], every_byte.clone(), vec![0]],
        ),
        command("SADD", "odd:set", vec![vec![], vec![0], every_byte]),
        command("RPUSH", "odd:list", vec![vec![], vec![], vec![0xff; 300]]),
        command(
            "ZADD",
            "odd:zset",
            ["-inf", "", "+inf", "top", "0", "0"]
                .map(Vec::from)
                .to_vec(),
        ),
    ]
}

fn bytes(random: &mut Random) -> Command {
    let mut key = b"bin:".to_vec();
    key.extend(random.next().to_le_bytes());
    let value = (0..random.below(200))
        .map(|_| random.next() as u8)
        .collect();
    command("SET", key, vec![value])
}

fn command(verb: &str, key: impl Into<Vec<u8>>, rest: Vec<Vec<u8>>) -> Command {
    let key = key.into();
    let mut args = vec![verb.into(), key.clone()];
    args.extend(rest);
    Command { key, args }
}

fn number(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn name(what: &str, number: u64) -> Vec<u8> {
    format!("{what}:{number}").into_bytes()
}
