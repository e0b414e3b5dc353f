//! How long an ignore comment or an ignore entry is valid, and why it exists.

use sqledge_ha_policy::finding::quoted;
use time::{Date, Month};

use crate::escape::escape;

/// The maximum number of characters of a reason in a report.
const MAX_REASON: usize = 200;

/// What can be used in place of `until`, and is not read.
const SIMILAR_WORDS: [&str; 6] = ["until", "expires", "expiry", "expired_at", "exp", "till"];

/// How long an ignore comment or an ignore entry is valid, and why it exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The day on which it expires; `None` if it does not.
    pub until: Option<Date>,
    /// The reason; empty if it has none.
    pub reason: String,
}

impl Validity {
    /// Reads the text after the rules of an ignore comment: a reason, with `until: DATE` in front of it or after it.
    ///
    /// # Errors
    /// One sentence, if there is no such date, or an expiry date is written in another way.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let Some(start) = find_word(text, "until", |rest| rest.starts_with(':')) else {
            let is_date = |rest: &str| {
                rest.trim_start_matches([' ', '\t', '=', ':']).starts_with(|digit: char| digit.is_ascii_digit())
            };
            let similar = SIMILAR_WORDS.iter().find(|word| find_word(text, word, is_date).is_some());
            return match similar {
                Some(word) => Err(format!("{} has no effect; write `until: DATE`", quoted(word))),
                None => Ok(Validity { until: None, reason: reason(text) }),
            };
        };
        let (before, rest) = text.split_at(start);
        let rest = rest.get("until:".len()..).unwrap_or_default().trim_start();
        let (date, after) = rest.split_at(rest.find([' ', '\t', '\r', ',', ';', ')']).unwrap_or(rest.len()));
        let until = parse_date(date.trim_end_matches([':', '.']))?;
        let reasons = [reason(before), reason(after)];
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).filter(|reason| !reason.is_empty()).collect();
        Ok(Validity { until: Some(until), reason: reasons.join(" ") })
    }

    /// Whether it has expired. It does so at the start of the day, in UTC.
    pub(super) fn has_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until <= today)
    }

    /// Says when `subject` expired, and the reason.
    pub(super) fn describe_expiry(&self, subject: &str) -> String {
        let until = self.until.map(|until| format!(" on {until}")).unwrap_or_default();
        let mut reason: String = escape(&self.reason).chars().take(MAX_REASON + 1).collect();
        if reason.chars().count() > MAX_REASON {
            reason.pop();
            reason.push('…');
        }
        let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
        format!("{subject} expired{until}{reason}")
    }
}

/// Where a word begins, in upper or lower case, before a text that `follows` accepts.
fn find_word(text: &str, word: &str, follows: impl Fn(&str) -> bool) -> Option<usize> {
    let is_word = |(start, _): &(usize, char)| {
        let is_start =
            !text.get(..*start).unwrap_or_default().ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let end = start + word.len();
        let is_same = text.get(*start..end).is_some_and(|part| part.eq_ignore_ascii_case(word));
        is_start && is_same && text.get(end..).is_some_and(&follows)
    };
    text.char_indices().find(is_word).map(|(start, _)| start)
}

/// A reason without the punctuation around it.
fn reason(text: &str) -> String {
    let is_separator = |character: char| character.is_whitespace() || ",;:#()-–—".contains(character);
    let text = text.trim_matches(is_separator);
    text.strip_prefix("reason:").unwrap_or(text).trim_matches(is_separator).to_owned()
}

/// Reads a date, `YYYY-MM-DD`.
///
/// # Errors
/// One sentence, if it is not a date, or does not exist.
pub fn parse_date(text: &str) -> Result<Date, String> {
    let digits: Option<[i32; 3]> = match text.split('-').map(str::as_bytes).collect::<Vec<_>>().as_slice() {
        [year, month, day] if (year.len(), month.len(), day.len()) == (4, 2, 2) => {
            number(year).zip(number(month)).zip(number(day)).map(|((year, month), day)| [year, month, day])
        }
        _ => None,
    };
    let Some([year, month, day]) = digits else {
        return Err(format!("{} is not a date; write YYYY-MM-DD, e.g. 2027-03-01", quoted(text)));
    };
    let (month, day) = (u8::try_from(month).ok(), u8::try_from(day).ok());
    let month = month.and_then(|month| Month::try_from(month).ok());
    let date = month.zip(day).and_then(|(month, day)| Date::from_calendar_date(year, month, day).ok());
    date.ok_or_else(|| format!("there is no date {}", quoted(text)))
}

fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_do_not_exist_are_errors() {
        for date in ["2027-03-01", "2028-02-29", "2000-02-29", "9999-12-31", "0001-01-01"] {
            assert_eq!(parse_date(date).map(|date| date.to_string()), Ok(date.to_owned()));
        }
        for date in ["2027-02-29", "2100-02-29", "2027-04-31", "2027-13-01", "2027-00-10", "2027-01-00", "2027-01-32"] {
            assert_eq!(parse_date(date), Err(format!("there is no date `{date}`")));
        }
        for text in [
            "",
            "2027",
            "2027-3-1",
            "27-03-01",
            "01.03.2027",
            "2027/03/01",
            "2027-03-01T00:00:00Z",
            "+027-03-01",
            "２０２７-03-01",
            "2027-03-01-",
        ] {
            assert_eq!(parse_date(text), Err(format!("`{text}` is not a date; write YYYY-MM-DD, e.g. 2027-03-01")));
        }
    }

    #[test]
    fn a_comment_has_a_reason_and_a_date_in_any_order() {
        for (text, until, reason) in [
            ("", None, ""),
            (" replicas share nothing", None, "replicas share nothing"),
            (" until the move", None, "until the move"),
            (" # reason: until the move", None, "until the move"),
            (" until: 2027-03-01", Some("2027-03-01"), ""),
            (" until:2027-03-01\r", Some("2027-03-01"), ""),
            (" Until: 2027-03-01, moves to Azure", Some("2027-03-01"), "moves to Azure"),
            (" until: 2027-03-01: moves", Some("2027-03-01"), "moves"),
            (" -- moves (until: 2027-03-01)", Some("2027-03-01"), "moves"),
            (" moves; until: 2027-03-01; see the plan", Some("2027-03-01"), "moves see the plan"),
            (" until: 2027-03-01 reason: moves", Some("2027-03-01"), "moves"),
        ] {
            let validity = Validity::read(text).unwrap();
            assert_eq!(
                (validity.until.map(|date| date.to_string()).as_deref(), &*validity.reason),
                (until, reason),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_date_that_is_not_read_is_an_error() {
        for (text, error) in [
            (" until: 2027-02-30", "there is no date `2027-02-30`"),
            (" until: March", "`March` is not a date; write YYYY-MM-DD, e.g. 2027-03-01"),
            (" until:", "`` is not a date; write YYYY-MM-DD, e.g. 2027-03-01"),
            (" until 2027-03-01", "`until` has no effect; write `until: DATE`"),
            (" moves, UNTIL=2027-03-01", "`until` has no effect; write `until: DATE`"),
            (" expires: 2027-03-01", "`expires` has no effect; write `until: DATE`"),
            (" exp:2027-03-01", "`exp` has no effect; write `until: DATE`"),
        ] {
            assert_eq!(Validity::read(text), Err(error.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn the_day_of_expiry_is_the_first_that_is_not_covered() {
        let validity = Validity { until: Some(parse_date("2027-03-01").unwrap()), reason: "a\u{1b}b".to_owned() };
        let expired = |today: &str| validity.has_expired(parse_date(today).unwrap());
        assert_eq!(["2027-02-28", "2027-03-01", "2027-03-02"].map(expired), [false, true, true]);
        assert!(!Validity::default().has_expired(Date::MAX));
        assert_eq!(validity.describe_expiry("the comment"), "the comment expired on 2027-03-01: a\u{fffd}b");
        let long = Validity { reason: "x".repeat(MAX_REASON + 1), ..validity };
        assert!(long.describe_expiry("it").ends_with("xx…"));
    }
}
