"""Records numbered pictures with Intel's RealSense SDK, from a device that it makes up.

usage: realsense_peer.py FOLDER

Says where the recording and the SDK's library are, and which library of Python that one needs, as JSON;
null where Python has none that can be loaded.
"""

import json
import os
import sys
import sysconfig
import time

import numpy as np
import pyrealsense2 as rs
from pyrealsense2 import pyrealsense2 as sdk

WIDTH, HEIGHT, SQUARE, PICTURES, FPS = 64, 48, 8, 25, 30


def picture(number):
    """As scene.rs draws it, in BGR."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2] = (20, 10, 250)
    image[:, WIDTH // 2 :] = (250, 10, 20)
    for bit in range(8):
        image[:SQUARE, bit * SQUARE : (bit + 1) * SQUARE] = 255 * (number >> bit & 1)
    return image


def record(path):
    device = rs.software_device()
    device.register_info(rs.camera_info.name, "made up")
    device.register_info(rs.camera_info.serial_number, "012345678901")
    made = device.add_sensor("RGB")
    stream = rs.video_stream()
    stream.type, stream.fmt, stream.uid, stream.fps = rs.stream.color, rs.format.bgr8, 1, FPS
    stream.width, stream.height, stream.bpp = WIDTH, HEIGHT, 3
    intrinsics = rs.intrinsics()
    intrinsics.width, intrinsics.height, intrinsics.fx, intrinsics.fy = WIDTH, HEIGHT, 60, 60
    stream.intrinsics = intrinsics
    profile = made.add_video_stream(stream).as_video_stream_profile()
    recorder = rs.recorder(path, device)
    sensor = recorder.query_sensors()[0]
    sensor.open(sensor.get_stream_profiles()[0])
    sensor.start(rs.frame_queue(PICTURES))
    for number in range(PICTURES):
        frame = rs.software_video_frame()
        frame.pixels, frame.stride, frame.bpp, frame.profile = picture(number), 3 * WIDTH, 3, profile
        frame.timestamp, frame.domain = number * 1000 / FPS, rs.timestamp_domain.hardware_clock
        frame.frame_number = number
        made.on_video_frame(frame)
        time.sleep(1 / FPS)
    sensor.stop()
    sensor.close()


recording = os.path.join(sys.argv[1], "made.db3")
record(recording)
named = sysconfig.get_config_var
python = os.path.join(named("LIBDIR"), named("INSTSONAME"))
if ".so" not in python or not os.path.exists(python):
    python = None
print(json.dumps({"recording": recording, "library": sdk.__file__, "python": python}))
