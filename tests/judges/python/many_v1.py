"""The verdict of a careful receiver, written to the contract alone: raw bytes, any `v1`, 300 s both ways.

So does, for one, PostHog's connector for Fintoc: https://github.com/PostHog/posthog.
"""

import hashlib
import hmac
import json
import os
import sys
import time
from pathlib import Path

TOLERANCE = 300


def verdict(case):
    header, secret = (case.with_suffix(end).read_text() for end in (".signature", ".secret"))
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    times = [value for name, value in pairs if name == "t"]
    if len(times) != 1 or abs(time.time() - int(times[0])) > TOLERANCE:
        return "refused: not of these minutes"
    signed = times[0].encode() + b"." + case.read_bytes()
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    if not any(name == "v1" and hmac.compare_digest(value.encode(), expected) for name, value in pairs):
        return "refused: no signature matches"
    return "accepted"


cases = Path(os.environ["JUDGE_CASES"]).glob("*.body")
json.dump({case.stem: verdict(case) for case in cases}, sys.stdout)
