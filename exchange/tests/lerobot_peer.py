"""Opens a data set with LeRobot's own package and says what is in it, as JSON.

    python lerobot_peer.py FOLDER
"""

import hashlib
import json
import sys

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

data = LeRobotDataset("local/run", root=sys.argv[1])


def value(key, item):
    if isinstance(item, str):
        return item
    if key in data.meta.camera_keys:
        # Channels first, floats in 0 to 1: back to the bytes they were.
        pixels = (item * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        return hashlib.sha256(pixels.numpy().tobytes()).hexdigest()
    return item.tolist()


print(
    json.dumps(
        {
            "episodes": data.num_episodes,
            "frames": len(data),
            "fps": data.fps,
            "robot": data.meta.robot_type,
            "tasks": list(data.meta.tasks.index),
            "bounds": [
                [episode["dataset_from_index"], episode["dataset_to_index"], episode["length"]]
                for episode in data.meta.episodes
            ],
            "action_mean": data.meta.stats["action"]["mean"].tolist(),
            "image_mean_shape": [
                list(data.meta.stats[key]["mean"].shape) for key in data.meta.camera_keys
            ],
            "rows": [
                {key: value(key, item) for key, item in data[index].items()}
                for index in range(len(data))
            ],
        }
    )
)
