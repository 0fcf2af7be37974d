"""Drives a robot server as HIL-SERL's FrankaEnv does, and holds every answer against the contract.

usage: serl_http_peer.py http://127.0.0.1:5000

With the package `requests`, by which FrankaEnv asks, where it is installed; otherwise with the standard
library. Says what it found in one line of JSON; ends with an error at the first answer that is not the
contract's.
"""

import json
import math
import sys
import time

URL = sys.argv[1]

try:
    import requests

    SESSION = requests.Session()

    def ask(route, body=None, method="POST"):
        answer = SESSION.request(method, URL + route, json=body, timeout=60)
        return answer.status_code, answer.headers.get("content-type", ""), answer.text

    SPOKEN_BY = "requests " + requests.__version__
except ImportError:
    from urllib import error, request

    def ask(route, body=None, method="POST"):
        data = None if method == "GET" else b"" if body is None else json.dumps(body).encode()
        asked = request.Request(URL + route, data=data, method=method)
        if body is not None:
            asked.add_header("content-type", "application/json")
        try:
            with request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.headers.get("content-type", ""), answer.read().decode()
        except error.HTTPError as refused:
            return refused.code, refused.headers.get("content-type", ""), refused.read().decode()

    SPOKEN_BY = "urllib"

COMPLIANCE = {
    "translational_stiffness": 2000, "translational_damping": 89,
    "rotational_stiffness": 150, "rotational_damping": 7,
    "translational_Ki": 0, "rotational_Ki": 0,
    "translational_clip_x": 0.0075, "translational_clip_y": 0.0016, "translational_clip_z": 0.0055,
    "translational_clip_neg_x": 0.002, "translational_clip_neg_y": 0.0016, "translational_clip_neg_z": 0.005,
    "rotational_clip_x": 0.01, "rotational_clip_y": 0.025, "rotational_clip_z": 0.005,
    "rotational_clip_neg_x": 0.01, "rotational_clip_neg_y": 0.025, "rotational_clip_neg_z": 0.005,
}
PRECISION = {
    "translational_stiffness": 2000, "translational_damping": 89,
    "rotational_stiffness": 250, "rotational_damping": 9,
    "translational_Ki": 0.0, "rotational_Ki": 0.0,
    "translational_clip_x": 0.1, "translational_clip_y": 0.1, "translational_clip_z": 0.1,
    "translational_clip_neg_x": 0.1, "translational_clip_neg_y": 0.1, "translational_clip_neg_z": 0.1,
    "rotational_clip_x": 0.5, "rotational_clip_y": 0.5, "rotational_clip_z": 0.5,
    "rotational_clip_neg_x": 0.5, "rotational_clip_neg_y": 0.5, "rotational_clip_neg_z": 0.5,
}
# Of /getstate: how many numbers each field has.
FIELDS = {"pose": 7, "vel": 6, "force": 3, "torque": 3, "q": 7, "dq": 7}
SINGLE = {
    "/getpos": ("pose", 7), "/getpos_euler": ("pose", 6), "/getvel": ("vel", 6), "/getforce": ("force", 3),
    "/gettorque": ("torque", 3), "/getq": ("q", 7), "/getdq": ("dq", 7),
}


def must(holds, what):
    if not holds:
        sys.exit(f"not by the contract: {what}")


def told(route, says, body=None):
    status, kind, text = ask(route, body)
    must(status == 200, f"{route} is answered by {status}: {text}")
    must(kind.startswith("text/html"), f"{route} is answered in {kind}")
    must(text == says, f"{route} says {text!r} and not {says!r}")


def read(route):
    status, kind, text = ask(route)
    must(status == 200, f"{route} is answered by {status}: {text}")
    must(kind == "application/json", f"{route} is answered in {kind}")
    return json.loads(text)


def numbers(what, value, count):
    must(isinstance(value, list) and len(value) == count, f"{what} is {value} and not {count} numbers")
    must(all(isinstance(x, (int, float)) and math.isfinite(x) for x in value), f"{what} is {value}")


def getstate():
    state = read("/getstate")
    must(set(state) == {*FIELDS, "jacobian", "gripper_pos"}, f"/getstate has {sorted(state)}")
    for field, count in FIELDS.items():
        numbers(field, state[field], count)
    must(len(state["jacobian"]) == 6, "the Jacobian has not six rows")
    for row in state["jacobian"]:
        numbers("a row of the Jacobian", row, 7)
    must(0 <= state["gripper_pos"] <= 1, f"gripper_pos is {state['gripper_pos']}")
    must(abs(math.hypot(*state["pose"][3:]) - 1) < 1e-6, f"the quaternion of {state['pose']}")
    for row, speed in zip(state["jacobian"], state["vel"]):
        by_joints = sum(a * b for a, b in zip(row, state["dq"]))
        must(abs(by_joints - speed) < 1e-6, f"vel is {state['vel']}, and J dq has {by_joints}")
    return state


def apart(a, b):
    return math.dist(a["pose"][:3], b["pose"][:3])


def at_rest():
    before = getstate()
    for _ in range(100):
        time.sleep(0.1)
        now = getstate()
        if apart(before, now) < 1e-5:
            return now
        before = now
    sys.exit("the arm does not come to rest")


def send_pos(pose):
    told("/clearerr", "Clear")
    told("/pose", "Moved", {"arr": [float(x) for x in pose]})


def move(pose, steps, hz=10):
    """As interpolate_move does: points on a line, quaternions and all."""
    start = getstate()["pose"]
    for step in range(1, steps + 1):
        share = step / steps
        send_pos([a + (b - a) * share for a, b in zip(start, pose)])
        time.sleep(1 / hz)


def euler_xyz(quaternion):
    """Extrinsic, as scipy's "xyz"."""
    x, y, z, w = quaternion
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1, min(1, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return roll, pitch, yaw


def reset(home):
    told("/update_param", "Updated compliance parameters", COMPLIANCE)
    told("/clearerr", "Clear")
    send_pos(getstate()["pose"])
    time.sleep(0.3)
    told("/update_param", "Updated compliance parameters", PRECISION)
    time.sleep(0.5)
    told("/jointreset", "Reset Joint")
    time.sleep(0.5)
    move(home["pose"], 10)
    told("/update_param", "Updated compliance parameters", COMPLIANCE)
    told("/clearerr", "Clear")


found = {"by": SPOKEN_BY}
home = at_rest()
for route, (field, count) in SINGLE.items():
    answer = read(route)
    must(set(answer) == {field}, f"{route} has {sorted(answer)}")
    numbers(route, answer[field], count)
    if route != "/getpos_euler":
        off = max(abs(a - b) for a, b in zip(answer[field], home[field]))
        must(off < 0.05, f"{route} is {answer[field]}, /getstate has {home[field]}")
euler = read("/getpos_euler")["pose"]
for a, b in zip(euler[3:], euler_xyz(home["pose"][3:])):
    must(abs(math.remainder(a - b, 2 * math.pi)) < 1e-3, f"/getpos_euler is {euler}")
must(set(read("/getjacobian")) == {"jacobian"}, "/getjacobian")
must(read("/get_gripper").keys() == {"gripper"}, "/get_gripper")

# Steps of the environment: 10 Hz, from the measured pose, 8 mm up and then down.
for way in (0.008, -0.008):
    for _ in range(5):
        pose = getstate()["pose"]
        pose[2] += way
        began = time.time()
        send_pos(pose)
        time.sleep(max(0, 0.1 - (time.time() - began)))
    if way > 0:
        found["rose_m"] = getstate()["pose"][2] - home["pose"][2]
must(found["rose_m"] > 0.015, f"five steps of 8 mm brought the arm {found['rose_m']} m up")

# The gripper, with the waits of the environment.
told("/activate_gripper", "Activated")
told("/reset_gripper", "Reset")
for route, says, body, is_so in [
    ("/close_gripper", "Closed", None, lambda g: g < 0.85),
    ("/open_gripper", "Opened", None, lambda g: g > 0.85),
    ("/close_gripper_slow", "Closed", None, lambda g: g < 0.85),
    ("/move_gripper", "Moved Gripper", {"gripper_pos": 255}, lambda g: g > 0.85),
]:
    told(route, says, body)
    for _ in range(50):
        time.sleep(0.1)
        if is_so(getstate()["gripper_pos"]):
            break
    must(is_so(getstate()["gripper_pos"]), f"after {route} gripper_pos is {getstate()['gripper_pos']}")

reset(home)
found["home_off_m"] = apart(at_rest(), home)
must(found["home_off_m"] < 0.01, f"after a reset the arm is {found['home_off_m']} m from home")

# Without its controller the arm takes a pose and stays.
told("/stopimp", "Stopped impedance")
stood = at_rest()
pose = list(stood["pose"])
pose[2] += 0.02
told("/pose", "Moved", {"arr": pose})
time.sleep(0.5)
must(apart(getstate(), stood) < 0.002, "without a controller the arm moves")
told("/startimp", "Started impedance")
# A pose is followed whatever the length of its quaternion is.
for _ in range(5):
    told("/pose", "Moved", {"arr": pose[:3] + [0.7 * x for x in pose[3:]]})
    time.sleep(0.1)
must(apart(getstate(), stood) > 0.005, "with the controller on the arm stays")

for route, body, method, expected in [
    ("/pose", {"arr": [1, 2, 3]}, "POST", 500),
    ("/pose", {}, "POST", 500),
    ("/update_param", {"stiffness": 1}, "POST", 500),
    ("/getstate", None, "GET", 405),
    ("/speedl", None, "POST", 404),
]:
    status = ask(route, body, method)[0]
    must(status == expected, f"{method} {route} {body} is answered by {status} and not {expected}")
print(json.dumps(found))
