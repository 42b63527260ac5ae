"""A careful reader of movements, as PostHog's connector is: big pages, every status, `Link` as libraries parse it.

It follows a page only after it has checked the address, because the key and the link's token travel with it.
"""

import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

import httpx  # its version is the one of `requirements.txt` here
import requests

BRIEF = {name[6:].lower(): value for name, value in os.environ.items() if name.startswith("JUDGE_")}
URL = f"{BRIEF['url']}/v1/accounts/{BRIEF['account']}/movements"
HERE = {"Authorization": BRIEF["key"]}


def pages(get, per_page):
    """Every page that ``get`` (of requests or httpx) is led to."""
    answer = get(
        URL,
        params={"link_token": BRIEF["token"], "confirmed_only": "false", "per_page": per_page},
        headers=HERE,
    )
    yield answer
    while following := answer.links.get("next"):
        if urlsplit(following["url"])[:2] != urlsplit(BRIEF["url"])[:2]:
            raise SystemExit("led away from the provider")
        answer = get(following["url"], headers=HERE)
        yield answer


def told(answers):
    """The rows of all pages, and what the headers said on the way."""
    answers = list(answers)
    return {
        "ids": [row["id"] for answer in answers for row in answer.json()],
        "totals": sorted({int(answer.headers["X-Total-Count"]) for answer in answers}),
        "rels": [sorted(answer.links) for answer in answers],
        "pages": [parse_qs(urlsplit(str(answer.url)).query).get("page", ["1"])[0] for answer in answers],
    }


facts = {"whole": told(pages(requests.get, 300)), "requests": told(pages(requests.get, 20))}
facts["httpx"] = told(pages(httpx.get, 20))
json.dump(facts, sys.stdout)
