//! What a user's ACL rule says of one command, by the words that ACL LIST shows: they count from left to
//! right, and the last that touches the command decides.

/// Whether a user with these rules may give the command. `categories` are the command's own, with the
/// `@`; `None` where they are not known. `None` is: it cannot be told.
pub(super) fn allows(rules: &str, command: &str, categories: Option<&[String]>) -> Option<bool> {
    let container = command.split('|').next().unwrap_or(command);
    let is_it = |name: &str| name == command || name == container;
    let mut is_allowed = Some(false);
    let mut in_selector = false;
    let mut has_selectors = false;
    for word in rules.split_ascii_whitespace() {
        // A selector is a rule of its own, for some keys: it can only add to what is allowed.
        if word.starts_with('(') {
            (in_selector, has_selectors) = (true, true);
        }
        if in_selector {
            in_selector = !word.ends_with(')');
            continue;
        }
        let (gives, name) = match (word, word.split_at_checked(1)) {
            ("allcommands", _) => (true, "@all"),
            ("nocommands", _) => (false, "@all"),
            (_, Some(("+", name))) => (true, name),
            (_, Some(("-", name))) => (false, name),
            _ => continue,
        };
        if name == "@all" || is_it(name) {
            is_allowed = Some(gives);
        } else if name.starts_with('@') && is_allowed != Some(gives) {
            is_allowed = match categories {
                Some(own) if own.iter().any(|category| category == name) => Some(gives),
                Some(_) => is_allowed,
                None => None,
            };
        }
    }
    is_allowed.filter(|is| *is || !has_selectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_that_touches_a_command_decides() {
        let own = ["@admin", "@slow", "@dangerous"].map(str::to_owned);
        for (rules, is_allowed) in [
            ("~* &* +@all", Some(true)),
            ("allcommands allkeys", Some(true)),
            ("~* &* -@all", Some(false)),
            ("", Some(false)),
            ("-@all +ping +config|get", Some(false)),
            ("-@all +config|set", Some(true)),
            ("-@all +config", Some(true)),
            ("+@all -config|set", Some(false)),
            ("+@all -config +config|set", Some(true)),
            ("+@all -@dangerous", Some(false)),
            ("+@all -@dangerous +config|get", Some(false)),
            ("+@all -@scripting", Some(true)),
            ("-@all +@admin", Some(true)),
            ("-@all +@read +@write", Some(false)),
            ("+@all -@dangerous +@admin", Some(true)),
            ("-@all (+@all ~app:*)", None),
            ("-@all (~app:* -@all +get) +ping", None),
            ("+@all (-@all +get)", Some(true)),
        ] {
            assert_eq!(
                allows(rules, "config|set", Some(&own)),
                is_allowed,
                "{rules}"
            );
        }
    }

    #[test]
    fn without_the_categories_a_word_about_one_leaves_it_open() {
        for (rules, is_allowed) in [
            ("+@all", Some(true)),
            ("+@all -@dangerous", None),
            ("+@all +@read", Some(true)),
            ("-@all +@read", None),
            ("-@all -@write", Some(false)),
            ("+@all -@dangerous +psync", Some(true)),
            ("-@all +@admin -psync", Some(false)),
        ] {
            assert_eq!(allows(rules, "psync", None), is_allowed, "{rules}");
        }
    }
}
