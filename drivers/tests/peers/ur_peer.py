"""What SDU's own UR client (ur_rtde) reads from a controller, and what it can do there, as JSON."""

import json
import sys

import dashboard_client
import rtde_io
import rtde_receive

host = sys.argv[1]
receive = rtde_receive.RTDEReceiveInterface(host, 125.0, [], False, True)
dashboard = dashboard_client.DashboardClient(host)
dashboard.connect()
told = {
    "tcp_pose": receive.getActualTCPPose(),
    "tcp_speed": receive.getActualTCPSpeed(),
    "tcp_force": receive.getActualTCPForce(),
    "q": receive.getActualQ(),
    "robot_mode": receive.getRobotMode(),
    "safety_mode": receive.getSafetyMode(),
    "safety_status_bits": receive.getSafetyStatusBits(),
    "runtime_state": receive.getRuntimeState(),
    "speed_scaling": receive.getSpeedScaling(),
    "speed_fraction": receive.getTargetSpeedFraction(),
    "protective_stopped": receive.isProtectiveStopped(),
    "emergency_stopped": receive.isEmergencyStopped(),
    "remote": dashboard.isInRemoteControl(),
    "robotmode": dashboard.robotmode(),
    "safetystatus": dashboard.safetystatus(),
    "running": dashboard.running(),
}
if "write" in sys.argv:
    # The lower registers: the upper ones are the driver's.
    io = rtde_io.RTDEIOInterface(host, False, False)
    told["wrote"] = [
        io.setSpeedSlider(0.5),
        io.setInputIntRegister(19, -1234567),
        io.setInputDoubleRegister(18, -0.125),
    ]
if "unlock" in sys.argv:
    dashboard.closeSafetyPopup()
    dashboard.unlockProtectiveStop()
print(json.dumps(told))
