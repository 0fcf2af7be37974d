//! The gripper over Modbus: RTU on a serial line, or TCP through its controller.

use std::{future::Future, io, net::SocketAddr, path::Path};

use serial2_tokio::SerialPort;
use tokio::{runtime::Runtime, time::timeout};
use tokio_modbus::{
    Slave,
    client::{Context, Reader, Writer, rtu, tcp},
};

use super::registers::{Order, REPLY_WAIT, Said};

/// With eight data bits, one stop bit and no parity.
const BAUD: u32 = 115_200;

pub(super) struct Modbus {
    runtime: Runtime,
    context: Context,
    orders_at: u16,
    status_at: u16,
}

impl Modbus {
    pub fn tcp(
        address: SocketAddr,
        slave: u8,
        [orders_at, status_at]: [u16; 2],
    ) -> io::Result<Self> {
        let runtime = runtime()?;
        let connect = tcp::connect_slave(address, Slave(slave));
        let context = in_time(&runtime, connect)??;
        Ok(Self { runtime, context, orders_at, status_at })
    }

    pub fn rtu(path: &Path, slave: u8, [orders_at, status_at]: [u16; 2]) -> io::Result<Self> {
        let runtime = runtime()?;
        let context = {
            let _inside = runtime.enter();
            rtu::attach_slave(SerialPort::open(path, BAUD)?, Slave(slave))
        };
        Ok(Self { runtime, context, orders_at, status_at })
    }

    pub fn tell(&mut self, order: &Order) -> io::Result<()> {
        let registers = order.registers();
        let told = self.context.write_multiple_registers(self.orders_at, &registers);
        in_time(&self.runtime, told)?.map_err(io::Error::other)?.map_err(io::Error::other)
    }

    pub fn read(&mut self) -> io::Result<Said> {
        let read = self.context.read_input_registers(self.status_at, 3);
        let registers =
            in_time(&self.runtime, read)?.map_err(io::Error::other)?.map_err(io::Error::other)?;
        let three = <[u16; 3]>::try_from(registers)
            .map_err(|got| io::Error::other(format!("it answered {} registers of 3", got.len())))?;
        Ok(Said::of_registers(three))
    }
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn in_time<T>(runtime: &Runtime, what: impl Future<Output = T>) -> io::Result<T> {
    // The timer is made inside the runtime.
    runtime
        .block_on(async { timeout(REPLY_WAIT, what).await })
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}
