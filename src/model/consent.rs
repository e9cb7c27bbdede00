//! Consent: the user's yes, as a value.
//!
//! What changes a cluster takes one by value, so it cannot be called without somebody having said
//! yes; only the command line makes one, from a flag or from a typed answer.

/// The user said yes to the plan at hand.
#[derive(Debug)]
pub struct Consent {
    how: &'static str,
}

impl Consent {
    /// By a flag on the command line, such as `--yes`.
    pub fn by_flag() -> Consent {
        Consent { how: "flag" }
    }

    /// By an answer typed at the prompt.
    pub fn by_answer() -> Consent {
        Consent { how: "answer" }
    }

    /// How it was given: `flag` or `answer`.
    pub fn how(&self) -> &'static str {
        self.how
    }
}
