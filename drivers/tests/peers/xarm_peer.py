"""What UFACTORY's own SDK reads from a control box, and what it can do there, as JSON."""

import contextlib
import json
import sys
import time

from xarm.core.config.x_config import XCONF
from xarm.wrapper import XArmAPI
from xarm.x3.report import ReportDataStructure

host, XCONF.SocketConf.TCP_CONTROL_PORT, XCONF.SocketConf.TCP_REPORT_REAL_PORT = (
    sys.argv[1],
    int(sys.argv[2]),
    int(sys.argv[3]),
)
# It knows the layout of a report by the port that the report comes from.
layout_of = ReportDataStructure.create
ReportDataStructure.create = lambda port, **options: layout_of(30003, **options)
told = {}
# The SDK prints as it connects.
with contextlib.redirect_stdout(sys.stderr):
    arm = XArmAPI(host, is_radian=True, report_type="real", check_joint_limit=False)
    told["version"] = arm.version
    told["error"] = arm.get_err_warn_code()
    if "start" in sys.argv:
        told["start"] = [
            arm.clean_error(),
            arm.clean_warn(),
            arm.motion_enable(True),
            arm.set_mode(1),
            arm.set_state(0),
        ]
        told["position"] = arm.get_position(is_radian=True)[1]
        there = list(told["position"])
        there[0] += 5.0
        told["servo"] = arm.set_servo_cartesian_aa([*there[:3], *[0.0, 3.0, 0.0]], is_radian=True)
    # Until a report has come.
    for _ in range(100):
        if arm.mode == 1 or "start" not in sys.argv:
            break
        time.sleep(0.05)
    time.sleep(0.2)
    told["state"] = arm.state
    told["mode"] = arm.mode
    told["reported_position"] = arm.position
    told["angles"] = arm.angles
    arm.disconnect()
print(json.dumps(told))
