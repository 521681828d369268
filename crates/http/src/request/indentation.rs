//! Indents JSON that is written in pieces.

/// Indents JSON without white space, whose pieces may end anywhere.
pub(crate) struct Indentation {
    spaces: usize,
    depth: usize,
    is_string: bool,
    /// Whether the character before, in a string, was a backslash that escapes the next one.
    is_escaped: bool,
    /// Whether the character before opened an array or object, which stays on one line if it is empty.
    is_open: bool,
}

impl Indentation {
    pub(crate) fn new(spaces: usize) -> Self {
        Self {
            spaces,
            depth: 0,
            is_string: false,
            is_escaped: false,
            is_open: false,
        }
    }

    /// Returns the next piece with line breaks and spaces.
    pub(crate) fn apply(&mut self, json: &[u8]) -> Vec<u8> {
        let mut indented = Vec::with_capacity(json.len() * 5 / 4);
        for &byte in json {
            if self.is_string {
                self.is_string = self.is_escaped || byte != b'"';
                self.is_escaped = byte == b'\\' && !self.is_escaped;
                indented.push(byte);
            } else {
                self.structure(byte, &mut indented);
            }
        }
        indented
    }

    /// Writes a character outside strings.
    fn structure(&mut self, byte: u8, indented: &mut Vec<u8>) {
        let is_end = matches!(byte, b']' | b'}');
        self.depth = self.depth.saturating_sub(is_end.into());
        if self.is_open != is_end {
            self.break_line(indented);
        }
        indented.push(byte);
        self.is_string = byte == b'"';
        self.is_open = matches!(byte, b'[' | b'{');
        self.depth += usize::from(self.is_open);
        match byte {
            b',' => self.break_line(indented),
            b':' => indented.push(b' '),
            _ => {}
        }
    }

    fn break_line(&self, indented: &mut Vec<u8>) {
        indented.push(b'\n');
        indented.resize(indented.len() + self.depth * self.spaces, b' ');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn indented_json_in_any_pieces_is_that_of_serde() {
        let values = [
            json!([]),
            json!({}),
            json!("text"),
            json!([[], {}, [[]], {"a": {}}, [1, -2.5e10, true, null]]),
            json!({"a": "[{,:\"\\", "\"b\\": ["\\", "\\\"", ""], "c": {"d": [{"e": 1}, {}]}}),
        ];
        for value in values {
            let expected = serde_json::to_string_pretty(&value).unwrap();
            let compact = value.to_string();
            for size in 1..=compact.len() {
                let mut indentation = Indentation::new(2);
                let pieces = compact.as_bytes().chunks(size);
                let indented: Vec<u8> = pieces.flat_map(|piece| indentation.apply(piece)).collect();
                assert_eq!(String::from_utf8(indented).unwrap(), expected, "{size}");
            }
        }
    }

    #[test]
    fn indented_json_keeps_its_order_and_its_numbers() {
        let json = r#"{"b":[1,-2.50e+10],"a":{},"c":[],"é":null}"#;
        let indented = Indentation::new(2).apply(json.as_bytes());
        assert_eq!(
            String::from_utf8(indented).unwrap(),
            "{\n  \"b\": [\n    1,\n    -2.50e+10\n  ],\n  \"a\": {},\n  \"c\": [],\n  \"é\": null\n}"
        );
    }
}
