"""Fintoc's own client for Python: every call that its bank-data side has, and what came of it as JSON."""

import json
import os
import sys
import urllib.request
from collections import Counter

import fintoc.core  # type: ignore[import-not-found]  # only where this runs: an environment of its own
from fintoc import Fintoc
from fintoc.errors import FintocError, WebhookSignatureError  # type: ignore[import-not-found]
from fintoc.webhook import WebhookSignature  # type: ignore[import-not-found]

BRIEF = {name[6:].lower(): value for name, value in os.environ.items() if name.startswith("JUDGE_")}
OUTCOMES = [f"account.refresh_intent.{status}" for status in ("succeeded", "failed", "rejected")]

# The only way to another address: https://github.com/fintoc-com/fintoc-python/blob/main/fintoc/constants.py
fintoc.core.API_BASE_URL = BRIEF["url"]
client = Fintoc(BRIEF["key"], api_version="2023-11-15")


def refused(call, *args, **kwargs):
    """What the client raises, by class and text."""
    try:
        call(*args, **kwargs)
    except (FintocError, WebhookSignatureError) as error:
        return {"raised": type(error).__name__, "says": str(error)}
    return {"raised": None, "says": ""}


def ids(rows):
    return [row.id for row in rows]


def behind_the_scenes(path, **body):
    """Play the person, or let time pass: the emulator's own controls."""
    request = urllib.request.Request(f"{BRIEF['url']}/__emulator/{path}", json.dumps(body).encode())  # noqa: S310
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def deliveries(count):
    url = f"{BRIEF['receiver']}/deliveries?count={count}"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def read():
    token, account_id = BRIEF["token"], BRIEF["account"]
    link = client.links.get(token)
    account = client.accounts.get(account_id, link_token=token)
    listing = client.accounts.movements
    where = {"account_id": account_id, "link_token": token}
    whole = list(listing.list(**where, per_page=300, confirmed_only="false"))
    row = listing.get(whole[0].id, **where)
    return {
        "links": {"all": ids(client.links.list()), "by_two": ids(client.links.list(per_page=2))},
        "link": {
            "id": link.id,
            "institution": link.institution.id,
            "accounts": ids(link.accounts.list(lazy=False)),
        },
        "accounts": ids(client.accounts.list(link_token=token)),
        "account": {"id": account.id, "currency": account.currency, "available": account.balance.available},
        "movements": {
            "confirmed": ids(account_of(link, account_id).movements.list()),
            "all": ids(whole),
            "window": ids(listing.list(**where, since=BRIEF["since"], until=BRIEF["until"])),
        },
        "movement": {"id": row.id, "amount": row.amount, "post_date": row.post_date.date().isoformat()},
    }


def account_of(link, account_id):
    return link.accounts.get(account_id)


def refresh(endpoint):
    tokens = {name: BRIEF[f"{name}_token"] for name in ("fresh", "refused", "mfa")}
    create = client.refresh_intents.create
    made = {
        name: create(link_token=token, refresh_type="only_last", idempotency_key=f"first-{name}")
        for name, token in tokens.items()
    }
    again = create(link_token=tokens["fresh"], refresh_type="only_last", idempotency_key="first-fresh")
    running = refused(create, link_token=tokens["fresh"])
    behind_the_scenes(f"links/{BRIEF['mfa_link']}/person", act="right_code")
    behind_the_scenes("clock/advance", seconds=100)
    ended = {
        name: client.refresh_intents.get(one.id, link_token=tokens[name]).status for name, one in made.items()
    }
    return {
        "intents": {
            "created": {
                "status": made["fresh"].status,
                "type": made["fresh"].type,
                "link": made["fresh"].refreshed_object_id,
                "mfa": made["fresh"].requires_mfa,
            },
            "same_key_same_intent": again.id == made["fresh"].id,
            "asks_for_code": made["mfa"].requires_mfa.widget_token.startswith(made["mfa"].id),
            "listed": ids(client.refresh_intents.list(link_token=tokens["fresh"])) == [made["fresh"].id],
            "ended": ended,
        },
        "deliveries": judged(deliveries(8), endpoint.secret),
        "errors": errors() | {"in_progress": running},
    }


def judged(taken, secret):
    """The client's own helper on what the emulator sent."""
    accepted: Counter[str] = Counter()
    for one in taken:
        if WebhookSignature.verify_header(one["body"], one["signature"], secret):
            accepted[json.loads(one["body"])["type"]] += 1
    last = taken[-1]
    changed = last["body"] + " "
    return {
        "accepted": accepted,
        "changed": refused(WebhookSignature.verify_header, changed, last["signature"], secret),
        "another_secret": refused(
            WebhookSignature.verify_header, last["body"], last["signature"], "whsec_another"
        ),
    }


def errors():
    token, account_id = BRIEF["token"], BRIEF["account"]
    create, movements = client.refresh_intents.create, client.accounts.movements
    where = {"account_id": account_id, "link_token": token, "lazy": False}
    return {
        "invalid_key": refused(Fintoc("sk_test_nobody").links.list, lazy=False),
        "unknown_link": refused(client.links.get, "link_none_token_none"),
        "unknown_token": refused(client.accounts.list, link_token="link_none_token_none", lazy=False),
        "no_token": refused(client.accounts.list, lazy=False),
        "unknown_account": refused(client.accounts.get, "link_none", link_token=token),
        "bad_date": refused(movements.list, **where, since="yesterday"),
        "bad_page": refused(movements.list, **where, page=0),
        "bad_type": refused(create, link_token=token, refresh_type="everything"),
        "too_soon": refused(create, link_token=BRIEF["fresh_token"]),
        "another_body": refused(create, link_token=token, idempotency_key="first-fresh"),
        "rejected": refused(create, link_token=BRIEF["refused_token"]),
        "broken": refused(create, link_token=BRIEF["broken_token"]),
        "no_bank": refused(create, link_token=BRIEF["broken_token"]),
        "unknown_intent": refused(client.refresh_intents.get, "ri_none", link_token=token),
        "unknown_endpoint": refused(client.webhook_endpoints.get, "we_none"),
        "bad_event": refused(
            client.webhook_endpoints.create, url=BRIEF["receiver"], enabled_events=["link.none"]
        ),
    }


def subscribe():
    hook, wanted = f"{BRIEF['receiver']}/hook", [*OUTCOMES, "link.credentials_changed"]
    endpoint = client.webhook_endpoints.create(url=hook, enabled_events=wanted, description="first")
    return endpoint, client.webhook_endpoints.test(endpoint.id, type=OUTCOMES[0])


def endpoints(endpoint, tested):
    manager = client.webhook_endpoints
    read = manager.get(endpoint.id)
    updated = manager.update(endpoint.id, description="second", enabled_events=OUTCOMES[:1], disabled=True)
    listed = ids(manager.list())
    manager.delete(endpoint.id)
    return {
        "created": {"secret": endpoint.secret[:6], "status": endpoint.status},
        "read": {"url": read.url == endpoint.url, "secret": read.secret, "description": read.description},
        "updated": {"status": updated.status, "events": updated.enabled_events, "said": updated.description},
        "listed": listed == [endpoint.id],
        "tested": tested.type,
        "deleted": refused(manager.get, endpoint.id),
    }


def change_links():
    token, link_id = BRIEF["spare_token"], BRIEF["spare_link"]
    active = [client.links.update(token, active=False).active]
    active.append(client.links.get(token).update(active=True).active)
    client.links.delete(link_id)
    return {"active": active, "deleted": refused(client.links.get, token)}


def main():
    facts = read()
    endpoint, tested = subscribe()
    facts |= refresh(endpoint)
    facts |= {"endpoints": endpoints(endpoint, tested), "changed_link": change_links()}
    json.dump(facts, sys.stdout)


main()
