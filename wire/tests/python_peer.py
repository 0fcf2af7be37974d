"""A zenoh peer that is not ours. Asks, listens and publishes as far as it gets, and prints what came
of it: how often it was answered, and how many policies it heard."""

import json
import sys
import time

import zenoh

wanted = json.loads(sys.argv[1])
config = zenoh.Config()
for key, value in wanted["config"].items():
    config.insert_json5(key, json.dumps(value))
request, forged = bytes.fromhex(wanted["request"]), bytes.fromhex(wanted["forged"])

answers, policies = 0, []
with zenoh.open(config) as session:
    def hear(sample):
        # Its own publications come back to it as well.
        if sample.payload.to_bytes() != forged:
            policies.append(sample)

    subscribers = [session.declare_subscriber(key, hear) for key in wanted["listen"]]
    until = time.monotonic() + wanted["seconds"]
    while time.monotonic() < until and not (answers and policies):
        for key in wanted["ask"]:
            replies = session.get(key, payload=request, timeout=1.0)
            answers += sum(1 for reply in replies if reply.ok is not None)
        for key in wanted["publish"]:
            session.put(key, forged)
        time.sleep(0.1)
print(json.dumps({"answers": answers, "policies": len(policies)}))
