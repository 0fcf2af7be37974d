"""franka-sim's own server of the Franka Control Interface, with what a robot cell has besides it.

Reads one word a line, and answers in JSON:
  pose           where the flange is, by the simulator's own joints and kinematics
  push X Y Z     a force on the flange (N, base frame) from now on
  cut, mend      whether the network drops what the robot and its client send by UDP
"""

import json
import os
import socket
import sys
import threading
import time
import types

os.environ["FR3_MJCF"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fr3.xml")
answers, sys.stdout = sys.stdout, sys.stderr

import mujoco
from franka_sim import run_server
from franka_sim.mujoco_franka_sim import MujocoFrankaSim
from franka_sim.server import state_stream

FLANGE = "fr3_link8"
link = {"cut": False}
made = []


class Cable(socket.socket):
    def sendto(self, data, *rest):
        return len(data) if link["cut"] else super().sendto(data, *rest)

    def recvfrom(self, *arguments):
        got = super().recvfrom(*arguments)
        if link["cut"]:
            raise BlockingIOError
        return got


state_stream.socket = types.SimpleNamespace(
    socket=Cable, AF_INET=socket.AF_INET, SOCK_DGRAM=socket.SOCK_DGRAM
)


class Cell(MujocoFrankaSim):
    """The simulator as it is, which can be found again."""

    def initialize_simulation(self):
        super().initialize_simulation()
        made.append(self)


sys.modules["franka_sim.mujoco_franka_sim"].MujocoFrankaSim = Cell


def answer(sim, beside, words):
    flange = mujoco.mj_name2id(sim.model, mujoco.mjtObj.mjOBJ_BODY, FLANGE)
    match words:
        case ["pose"]:
            beside.qpos[sim.arm_qpos_adr] = sim.get_robot_state()["q"]
            mujoco.mj_kinematics(sim.model, beside)
            return {
                "position": beside.xpos[flange].tolist(),
                "quaternion_wxyz": beside.xquat[flange].tolist(),
            }
        case ["push", *force]:
            sim.data.xfrc_applied[flange, :3] = [float(x) for x in force]
        case ["cut" | "mend" as word]:
            link["cut"] = word == "cut"
        case _:
            raise ValueError(words)
    return {}


def serve():
    while not made or not made[0].running:
        time.sleep(0.01)
    sim = made[0]
    beside = mujoco.MjData(sim.model)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(sim, beside, line.split())), file=answers, flush=True)
    # Whoever started it is gone.
    os._exit(0)


threading.Thread(target=serve, daemon=True).start()
sys.argv[1:] = [
    "--physics=mujoco",
    "--enforce-comm-constraints",
    "--enforce-motion-limits",
    "--gripper-object-width=0.04",
]
run_server.main()
