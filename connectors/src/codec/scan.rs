//! The look at the bytes before serde: UTF-8 and nesting, also in the parts that nobody reads.
//!
//! serde_json checks neither in what it ignores, and an event's ignored parts go on to others (dead letters, Kafka).
//! A document with at most 64 opening brackets cannot be nested deeper than 64: counting them, brackets in texts
//! included, is one vectorised loop, so the exact walk is left to the few events that need it.

use super::limits::NESTING;
use super::refusal::Refusal;

/// The bytes as text, or why they are refused.
pub(super) fn scan(bytes: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let sentence = format!("the bytes are not UTF-8 from byte {} on", error.valid_up_to());
        Refusal::bad("body", "not_utf8", sentence)
    })?;
    if openings(bytes) > NESTING
        && let Some(at) = too_deep(bytes)
    {
        let sentence = format!("byte {at} opens a nesting deeper than {NESTING}");
        return Err(Refusal::bad("body", "too_deep", sentence));
    }
    Ok(text)
}

/// Opening brackets and braces, those in texts included. `[` and `{` differ in one bit. Counted in bytes, a run at a
/// time that cannot overflow one: so the compiler takes 16 at once, with overflow checks on too.
fn openings(bytes: &[u8]) -> usize {
    let in_run = |run: &[u8]| run.iter().fold(0u8, |count, byte| count.wrapping_add(u8::from(byte | 0x20 == b'{')));
    bytes.chunks(255).map(|run| usize::from(in_run(run))).sum()
}

/// Where the nesting passes its limit. Of JSON that is broken this may say anything; serde refuses that.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn sixty_four_levels_pass_and_sixty_five_do_not() {
        assert!(scan(nested(64).as_bytes()).is_ok());
        assert_eq!(scan(nested(65).as_bytes()).unwrap_err().reason, "too_deep");
        let wide = format!("[{}]", vec!["[]"; 10_000].join(","));
        assert!(scan(wide.as_bytes()).is_ok());
        assert_eq!(scan("{\"a\":".repeat(10_000).as_bytes()).unwrap_err().reason, "too_deep");
    }

    #[test]
    fn brackets_in_texts_are_no_nesting() {
        let text = format!(r#"{{"a":"{}\"[","b":[{}]}}"#, "[".repeat(100), vec!["[]"; 100].join(","));
        assert!(scan(text.as_bytes()).is_ok());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_with_their_place() {
        let refusal = scan(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!((refusal.reason, refusal.status), ("not_utf8", 400));
        assert!(refusal.sentence.contains("byte 6"), "{}", refusal.sentence);
    }
}
