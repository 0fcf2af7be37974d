//! The connection that reports come over (port 30003). Comes back by itself when it was lost; the arm
//! then waits for recovery.

use std::{
    io::{self, Read},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    Shared,
    report::{self, Report},
    status::Fault,
};

/// A control box that reports nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_millis(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(500);

pub(super) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    Ok(stream)
}

/// Reads until the driver is dropped.
pub(super) fn run(shared: &Shared, address: SocketAddr, stream: TcpStream) {
    let mut stream = Some(stream);
    while !shared.lock().quits {
        if let Some(mut open) = stream.take() {
            if let Err(error) = read(shared, &mut open) {
                tracing::warn!("the xArm's control box reports nothing more: {error}");
                let mut status = shared.lock();
                status.reports_linked = false;
                status.fail(Fault::LinkLost);
            }
            continue;
        }
        match connect(address) {
            Ok(open) => stream = Some(open),
            Err(error) => {
                tracing::debug!("no reports of the xArm's control box: {error}");
                let status = shared.lock();
                // A poisoned lock is met again, and healed, at the next look.
                _ = shared.news.wait_timeout_while(status, RETRY_AFTER, |status| !status.quits);
            }
        }
    }
}

fn read(shared: &Shared, stream: &mut TcpStream) -> io::Result<()> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut bytes = Vec::with_capacity(report::BYTES_MIN);
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        bytes.clear();
        bytes.extend(size);
        bytes.resize(report::size(size).map_err(invalid)?, 0);
        stream.read_exact(&mut bytes[4..])?;
        let report = Report::decode(&bytes).map_err(invalid)?;
        let at = shared.clock.now();
        let mut status = shared.lock();
        if status.quits {
            return Ok(());
        }
        status.reports_linked = true;
        status.see(at, report);
        shared.news.notify_all();
    }
}
