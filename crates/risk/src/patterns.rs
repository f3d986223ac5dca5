//! Patterns by name, put together when they are first used.

/// `patterns! { "(?i)" NAME = r"…"; }`: the flags hold for all of them.
macro_rules! patterns {
    ($flags:literal $($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* static $name: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
            regex::Regex::new(concat!($flags, $text)).expect("the pattern is a literal")
        });)*
    };
}
