"""The verdict of the signature helper in Fintoc's own client for Python on every case in a folder."""

import json
import os
import sys
from pathlib import Path

from fintoc.errors import WebhookSignatureError  # type: ignore[import-not-found]  # see fintoc_sdk.py
from fintoc.webhook import WebhookSignature  # type: ignore[import-not-found]


def verdict(case):
    header, secret = (case.with_suffix(end).read_text() for end in (".signature", ".secret"))
    try:
        WebhookSignature.verify_header(case.read_text(), header, secret)
    except WebhookSignatureError as error:
        return f"refused: {error}"
    return "accepted"


cases = Path(os.environ["JUDGE_CASES"]).glob("*.body")
json.dump({case.stem: verdict(case) for case in cases}, sys.stdout)
