//! A stream of JPEG pictures over HTTP, as network cameras and many small servers give it.
//!
//! FFmpeg, through which OpenCV would read it, decodes with a thread per core and holds back as many
//! pictures, which on a large machine is a second. So the parts are read here, by a thread that keeps
//! the newest, and OpenCV decodes that.

use std::{
    io::BufReader,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use drivers::camera::{DeviceFormat, message::monotonic_ns};
use opencv::{
    core::Mat,
    imgcodecs::{IMREAD_COLOR, IMREAD_IGNORE_ORIENTATION, imdecode},
    prelude::*,
};
use ureq::Agent;

use crate::{
    multipart::Parts,
    source::{Next, Pictures},
};

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Until the server begins to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// A part that is no picture may come once in a while; so many in a row mean another stream.
const BROKEN_MAX: u32 = 10;

pub struct Stream {
    newest: Arc<Newest>,
    broken: u32,
}

/// A part and when it had come.
type Part = (Vec<u8>, u64);

/// Where the reading thread leaves the newest part.
#[derive(Default)]
struct Newest {
    part: Mutex<Option<anyhow::Result<Part>>>,
    came: Condvar,
}

impl Stream {
    pub fn open(address: &str) -> anyhow::Result<Self> {
        ensure!(
            address.starts_with("http://"),
            "the address must begin with http://; for others write a GStreamer pipeline"
        );
        let agent: Agent = Agent::config_builder()
            // A camera is near.
            .proxy(None)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_recv_response(Some(ANSWER_MAX))
            .build()
            .into();
        let mut request = agent.get(address).header("Accept", "multipart/x-mixed-replace, */*");
        if let Some(user) = credentials(address) {
            request = request.header("Authorization", format!("Basic {user}"));
        }
        let answer = request.call().context("asking for the stream")?;
        let kind = answer.headers().get("Content-Type").and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let Some(boundary) = boundary(&kind) else {
            bail!(
                "it answers with {}, and not with a stream of pictures (multipart/x-mixed-replace \
                 with a boundary): look at the address in a browser",
                if kind.is_empty() { "no content type" } else { &kind }
            );
        };
        let parts = Parts::new(BufReader::new(answer.into_body().into_reader()), &boundary);
        let newest = Arc::new(Newest::default());
        let read = {
            let newest = newest.clone();
            move || read(parts, &newest)
        };
        thread::Builder::new().name("stream".into()).spawn(read)?;
        Ok(Self { newest, broken: 0 })
    }
}

/// What a multipart stream says is between its parts.
fn boundary(kind: &str) -> Option<String> {
    let (kind, parameters) = kind.split_once(';')?;
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let names = name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty();
        names.then(|| value.to_owned())
    })
}

/// `user:password` before the host, as Basic authorization wants it.
fn credentials(address: &str) -> Option<String> {
    let authority = address.strip_prefix("http://")?.split(['/', '?']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    Some(BASE64_STANDARD.encode(user))
}

/// Reads faster than anybody decodes, so that no picture waits in a buffer of the network.
fn read(mut parts: Parts<impl std::io::BufRead>, newest: &Newest) {
    loop {
        let part = match parts.next() {
            Ok(Some(part)) => Ok((part, monotonic_ns())),
            Ok(None) => Err(anyhow::anyhow!("the stream ended")),
            Err(error) => Err(anyhow::Error::new(error).context("reading the stream")),
        };
        let is_last = part.is_err();
        *newest.part.lock().unwrap_or_else(PoisonError::into_inner) = Some(part);
        newest.came.notify_one();
        if is_last {
            return;
        }
    }
}

impl Newest {
    fn take(&self) -> anyhow::Result<Part> {
        let mut part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match part.take() {
                Some(part) => return part,
                None => part = self.came.wait(part).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Pictures for Stream {
    fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            let (part, grabbed_ns) = self.newest.take()?;
            let image = match part.as_slice() {
                // OpenCV refuses to decode nothing with an exception of its own.
                [] => Mat::default(),
                part => imdecode(&part, IMREAD_COLOR | IMREAD_IGNORE_ORIENTATION)?,
            };
            if !image.empty() {
                self.broken = 0;
                return Ok(Next::Picture { image, grabbed_ns });
            }
            self.broken += 1;
            let bytes = part.len();
            ensure!(
                self.broken < BROKEN_MAX,
                "its parts are no pictures (the last has {bytes} bytes)"
            );
        }
    }

    fn format(&self, image: &Mat) -> anyhow::Result<DeviceFormat> {
        Ok(DeviceFormat {
            width: u32::try_from(image.cols())?,
            height: u32::try_from(image.rows())?,
            pixel_format: Some("JPEG".into()),
            ..DeviceFormat::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_found_however_it_is_written() {
        for (kind, found) in [
            ("multipart/x-mixed-replace; boundary=frame", Some("frame")),
            ("multipart/x-mixed-replace;charset=utf-8;BOUNDARY=\"--a b\"", Some("--a b")),
            ("Multipart/X-Mixed-Replace; boundary=", None),
            ("multipart/x-mixed-replace", None),
            ("text/html; boundary=frame", None),
        ] {
            assert_eq!(boundary(kind).as_deref(), found, "{kind}");
        }
    }

    #[test]
    fn a_user_in_the_address_is_authorized() {
        assert_eq!(credentials("http://me:pw@host:80/x").as_deref(), Some("bWU6cHc="));
        assert_eq!(credentials("http://host/a@b"), None);
    }
}
