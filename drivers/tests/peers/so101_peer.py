"""What Feetech's SDK, as LeRobot uses it, reads from the servos of an SO-101 and does with them, as JSON."""

import json
import sys
import time

import scservo_sdk as scs

port = scs.PortHandler(sys.argv[1])
assert port.openPort() and port.setBaudRate(1_000_000)
handler = scs.PacketHandler(0)
IDS = [1, 2, 3, 4, 5, 6]


# The package's own limit is shorter than what it waits for, which LeRobot mends the same way; a busy machine
# takes longer.
def patient(length):
    port.packet_start_time = port.getCurrentTime()
    port.packet_timeout = port.tx_time_per_byte * length + port.tx_time_per_byte * 3.0 + 1000


port.setPacketTimeout = patient


def together(address, length):
    reader = scs.GroupSyncRead(port, handler, address, length)
    assert all(reader.addParam(i) for i in IDS)
    result = reader.txRxPacket()
    return result, [reader.getData(i, address, length) for i in IDS]


def one(read, servo, address):
    value, result, error = read(port, servo, address)
    return [value, result, error]


told = {
    "ping": [handler.ping(port, servo) for servo in IDS],
    "positions": together(56, 2),
    "torque": together(40, 1),
    "gripper": [
        one(handler.read2ByteTxRx, 6, 16),
        one(handler.read2ByteTxRx, 6, 28),
        one(handler.read1ByteTxRx, 6, 36),
    ],
    "offset": [scs.SCS_TOHOST(one(handler.read2ByteTxRx, servo, 31)[0], 11) for servo in IDS],
    "limits": [
        [one(handler.read2ByteTxRx, servo, address)[0] for address in (9, 11)] for servo in IDS
    ],
}
if "move" in sys.argv:
    told["enable"] = [handler.write1ByteTxRx(port, servo, 40, 1) for servo in IDS]
    writer = scs.GroupSyncWrite(port, handler, 42, 2)
    for servo, position in zip(IDS, told["positions"][1]):
        goal = position + 20
        assert writer.addParam(servo, [scs.SCS_LOBYTE(goal), scs.SCS_HIBYTE(goal)])
    told["goals"] = writer.txPacket()
    time.sleep(0.5)
    told["moved"] = together(56, 2)
port.closePort()
print(json.dumps(told))
