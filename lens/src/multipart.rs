//! The parts of a `multipart/x-mixed-replace` body, one after the other.
//!
//! Cameras differ: some give each part's length and some do not, and the boundary in the header may
//! have the dashes that belong before it in the body. Lengths are limited before anything is kept.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// No picture of a camera is larger.
const PART_MAX: usize = 16 << 20;
const HEADER_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 32;

pub struct Parts<R> {
    body: R,
    /// Without dashes at its beginning.
    boundary: Vec<u8>,
    place: Place,
}

/// What has been read up to here.
enum Place {
    Between,
    /// The boundary before the next part.
    AtPart,
    /// The boundary after the last part.
    Over,
}

enum Line {
    Boundary,
    Last,
    Other,
}

impl<R: BufRead> Parts<R> {
    pub fn new(body: R, boundary: &str) -> Self {
        let boundary = boundary.trim_start_matches('-').as_bytes().to_vec();
        Self { body, boundary, place: Place::Between }
    }

    /// Waits for the next part; none at the end of the stream.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        match self.place {
            Place::Between => {
                if !self.found_boundary()? {
                    return Ok(None);
                }
            }
            Place::AtPart => self.place = Place::Between,
            Place::Over => return Ok(None),
        }
        match self.headers()? {
            Some(length) => {
                limit(length, PART_MAX, "bytes in a part")?;
                let mut part = vec![0; length];
                self.body.read_exact(&mut part)?;
                Ok(Some(part))
            }
            None => self.up_to_boundary(),
        }
    }

    /// Reads up to the next part; false at the end of the stream.
    fn found_boundary(&mut self) -> Result<bool> {
        let mut line = Vec::new();
        let mut skipped = 0;
        loop {
            line.clear();
            if self.line(&mut line, PART_MAX)? == 0 {
                return Ok(false);
            }
            match self.kind_of(&line) {
                Line::Boundary => return Ok(true),
                Line::Last => return Ok(false),
                Line::Other => skipped += line.len(),
            }
            limit(skipped, PART_MAX, "bytes between two parts")?;
        }
    }

    /// The part's length, if its headers have it.
    fn headers(&mut self) -> Result<Option<usize>> {
        let mut text = Vec::new();
        loop {
            let start = text.len();
            if self.line(&mut text, HEADER_MAX)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            limit(text.len(), HEADER_MAX, "bytes in the headers of a part")?;
            if matches!(&text[start..], b"\r\n" | b"\n") {
                break;
            }
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let parsed = httparse::parse_headers(&text, &mut headers).map_err(invalid)?;
        let httparse::Status::Complete((_, headers)) = parsed else {
            return Err(invalid("the headers of a part are cut off"));
        };
        let length = headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
        let Some(length) = length else { return Ok(None) };
        let length = std::str::from_utf8(length.value).map_err(invalid)?;
        length.trim().parse().map(Some).map_err(invalid)
    }

    fn up_to_boundary(&mut self) -> Result<Option<Vec<u8>>> {
        let mut part = Vec::new();
        loop {
            let start = part.len();
            if self.line(&mut part, PART_MAX)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            limit(part.len(), PART_MAX, "bytes in a part")?;
            self.place = match self.kind_of(&part[start..]) {
                Line::Boundary => Place::AtPart,
                Line::Last => Place::Over,
                Line::Other => continue,
            };
            part.truncate(start);
            // The line break before a boundary belongs to the boundary.
            for end in [b'\n', b'\r'] {
                if part.last() == Some(&end) {
                    part.pop();
                }
            }
            return Ok(Some(part));
        }
    }

    /// Up to and with the next line feed, but no more than is allowed.
    fn line(&mut self, into: &mut Vec<u8>, max: usize) -> Result<usize> {
        self.body.by_ref().take(max as u64 + 1).read_until(b'\n', into)
    }

    fn kind_of(&self, line: &[u8]) -> Line {
        let line = line.trim_ascii_end();
        let dashes = line.iter().take_while(|byte| **byte == b'-').count();
        match line[dashes..].strip_prefix(self.boundary.as_slice()) {
            Some(b"") if dashes >= 2 => Line::Boundary,
            Some(b"--") if dashes >= 2 => Line::Last,
            _ => Line::Other,
        }
    }
}

fn limit(got: usize, max: usize, what: &str) -> Result<()> {
    if got <= max { Ok(()) } else { Err(invalid(format!("{got} {what}; {max} are allowed"))) }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, boundary: &str) -> Result<Vec<String>> {
        let mut parts = Parts::new(text.as_bytes(), boundary);
        let mut found = Vec::new();
        while let Some(part) = parts.next()? {
            found.push(String::from_utf8(part).unwrap());
        }
        Ok(found)
    }

    #[track_caller]
    fn check(text: &str, boundary: &str, expected: &[&str]) {
        assert_eq!(parts(text, boundary).unwrap(), expected);
    }

    #[test]
    fn a_part_may_say_its_length() {
        let text = "--b\r\nContent-Length: 5\r\n\r\na\n--b\r\n--b\r\nContent-length:1\r\n\r\nc\r\n--b--\r\n";
        check(text, "b", &["a\n--b", "c"]);
    }

    #[test]
    fn a_part_may_not_say_its_length() {
        check("--b\r\nX: y\r\n\r\na\n\r\n\r\n--b\r\n\r\n\r\n--b--", "b", &["a\n\r\n", ""]);
    }

    #[test]
    fn the_boundary_may_have_its_dashes_in_the_header() {
        check("--b\n\nx\n--b\nContent-Length: 1\n\ny\n--b--\n", "--b", &["x", "y"]);
    }

    #[test]
    fn what_is_before_the_first_boundary_does_not_count() {
        check("hello\r\n\r\n--b\r\n\r\nx\r\n--bc\r\n--b--", "b", &["x\r\n--bc"]);
    }

    #[test]
    fn a_stream_that_is_cut_is_an_error() {
        for cut in ["--b\r\nContent-Length: 5\r\n\r\nab", "--b\r\n\r\nab", "--b\r\nX: y"] {
            assert_eq!(parts(cut, "b").unwrap_err().kind(), ErrorKind::UnexpectedEof, "{cut:?}");
        }
    }

    #[test]
    fn nothing_is_kept_beyond_the_limits() {
        let long = format!("--b\r\nX: {}\r\n\r\n", "y".repeat(HEADER_MAX));
        let many = format!("--b\r\n{}\r\n", "X: y\r\n".repeat(HEADERS_MAX + 1));
        let large = "--b\r\nContent-Length: 99999999999\r\n\r\n".to_owned();
        let endless = format!("--b\r\n\r\n{}", "y".repeat(PART_MAX + 1));
        let before = "y\n".repeat(PART_MAX / 2 + 1);
        for (name, text) in [
            ("long", long),
            ("many", many),
            ("large", large),
            ("endless", endless),
            ("before", before),
        ] {
            assert_eq!(parts(&text, "b").unwrap_err().kind(), ErrorKind::InvalidData, "{name}");
        }
    }
}
