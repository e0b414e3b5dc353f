//! How much of the module's memory the answers to its look-ups may take: one that would not fit is refused, which the
//! module can live with, unlike a trap.

/// One look-up may take this share of the memory of an instance. A review lists three kinds at most, and keeps what it
/// got until the verdict: Services, Deployments and StatefulSets. The last share is for the request itself.
const SHARES: usize = 4;

/// What is left for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room(usize);

impl Room {
    /// As much as anybody wants.
    pub(super) const UNBOUNDED: Room = Room(usize::MAX);

    /// The room for one answer in an instance whose memory grows to so many bytes.
    pub(super) fn within(memory: usize) -> Self {
        Room(memory / SHARES)
    }

    /// Takes the room that JSON text needs.
    ///
    /// # Errors
    /// The text that the module gets to see, where there is not enough.
    pub(super) fn take(&mut self, json: &str) -> Result<(), String> {
        self.0 = self.0.checked_sub(weight(json)).ok_or("this is too much for the module's memory")?;
        Ok(())
    }
}

/// How many bytes of the module's memory JSON text takes at most: itself, and the values that are read from it.
///
/// On wasm32 an object starts with a B-tree node of 320 bytes for up to eleven members, and has at least five in each
/// further one. A place in an array takes 16 bytes, of which there may be twice as many as items, and thrice while it
/// grows. A name or string takes its bytes once more, and up to 24 for the allocator. Characters within strings are
/// taken for structure, too: that errs on the safe side.
fn weight(json: &str) -> usize {
    let weigh = |byte| match byte {
        b'{' => 336,
        b'[' | b',' | b':' => 64,
        _ => 2,
    };
    json.bytes().map(weigh).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_until_there_is_none() {
        let mut room = Room::within(4 * 1000);
        let object = r#"{"a":"bcd"}"#;
        assert_eq!(weight(object), 336 + 64 + 9 * 2);
        assert!(room.take(object).is_ok() && room.take(object).is_ok());
        assert!(room.take(object).unwrap_err().contains("too much for the module"));
        let mut unbounded = Room::UNBOUNDED;
        assert!(unbounded.take(object).is_ok());
    }
}
