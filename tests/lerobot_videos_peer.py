"""Opens two exports of one run with LeRobot's own package, one with PNG and one with videos, and says
how they differ, as JSON.

    python lerobot_videos_peer.py PNG-FOLDER VIDEO-FOLDER
"""

import json
import sys

from lerobot.datasets.lerobot_dataset import LeRobotDataset

exact, films = (LeRobotDataset("local/run", root=folder) for folder in sys.argv[1:3])
assert films.meta.video_keys == exact.meta.image_keys and films.meta.image_keys == []
assert len(exact) == len(films)
pictures = set(exact.meta.camera_keys)
other_values = 0
picture_off = 0.0
for index in range(len(exact)):
    one, other = exact[index], films[index]
    assert one.keys() == other.keys()
    for key, value in one.items():
        if key in pictures:
            picture_off = max(picture_off, ((value - other[key]).abs().mean() * 255).item())
        elif isinstance(value, str):
            other_values += value != other[key]
        else:
            other_values += not value.equal(other[key])
print(json.dumps({"rows": len(exact), "other_values": other_values, "picture_off": picture_off}))
