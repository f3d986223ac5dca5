//! Times and durations in words, and back.

use std::time::Duration;

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// So many seconds, as people say it: `45 s`, `3 min`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (big, unit, small, rest) = match seconds {
        ..MINUTE => return format!("{seconds} s"),
        MINUTE..HOUR => return format!("{} min", seconds / MINUTE),
        HOUR..DAY => (seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        DAY.. => (seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    };
    if small == 0 {
        format!("{big} {unit}")
    } else {
        format!("{big} {unit} {small} {rest}")
    }
}

/// Milliseconds since the Unix epoch as RFC 3339; none for 0.
pub(crate) fn rfc3339(at_ms: i64) -> Option<String> {
    let at = Timestamp::from_millisecond(at_ms).ok()?;
    (at_ms != 0).then(|| at.to_string())
}

/// A duration as the configuration spells it: `90s`, `6h`, `2d`, `1h 30m`.
///
/// # Errors
/// A sentence that says how it is spelled.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err("give more than nothing, such as `30s`".to_owned()),
        Err(error) => Err(format!("{error}; write it as `30s`, `15m`, `6h` or `2d`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_at_most_two_units() {
        let table = [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (119, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d"),
            (3 * 86_400 + 4 * 3_600 + 59 * 60, "3 d 4 h"),
        ];
        for (seconds, expected) in table {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn durations_are_read_as_the_configuration_spells_them() {
        let table = [
            ("90s", 90),
            ("6h", 21_600),
            ("2d", 172_800),
            ("1h 30m", 5_400),
        ];
        for (text, seconds) in table {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "6", "soon", "0s", "-1h"] {
            let refused = duration(text);
            assert!(refused.is_err_and(|why| why.contains("`30s`")), "{text}");
        }
    }

    #[test]
    fn times_are_rfc_3339_and_none_is_none() {
        assert_eq!(rfc3339(0), None);
        assert_eq!(
            rfc3339(1_795_442_400_250).as_deref(),
            Some("2026-11-23T14:00:00.25Z")
        );
    }
}
