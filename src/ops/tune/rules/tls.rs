//! Rules of this group.

use super::super::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[];
