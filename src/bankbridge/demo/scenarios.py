"""What is played: one row per story, with what must come of it."""

from typing import Final

import attrs

from bankbridge.machine.status import Status
from bankbridge.words.reasons import Reason


@attrs.frozen(kw_only=True)
class Scenario:
    """One story on one link.

    ``attempts`` are the emulator's script words, one per refresh; ``webhooks`` is how its events travel; ``person``
    is what the person does at the widget; ``cancels`` means that we cancel when the prompt is open (or, without a
    prompt, once it runs). ``expects`` is our status and reason at the end.
    """

    provider: str
    title: str
    attempts: tuple[str, ...]
    expects: tuple[Status, Reason | None]
    webhooks: str = "normal"
    person: str | None = None
    cancels: bool = False


_GOOD: Final = (Status.SUCCEEDED, None)
_WRONG_CODE: Final = (Status.REJECTED, Reason.MFA_REJECTED)
_NO_CODE: Final = (Status.FAILED, Reason.MFA_EXPIRED)


def _on(provider: str, title: str, *attempts: str, **more: object) -> Scenario:
    given: dict[str, object] = {"expects": _GOOD, **more}
    return Scenario(provider=provider, title=title, attempts=attempts, **given)  # type: ignore[arg-type]


SCENARIOS: Final = (
    _on("rail", "succeeds", "succeeds"),
    _on("rail", "bank down, tried again", "fails", "succeeds"),
    _on("rail", "wrong credentials", "rejects", expects=(Status.REJECTED, Reason.CREDENTIALS_REJECTED)),
    _on("rail", "code: right", "mfa", person="right_code"),
    _on("rail", "code: wrong", "mfa", person="wrong_code", expects=_WRONG_CODE),
    _on("rail", "code: nobody answers", "mfa", person="walk_away", expects=_NO_CODE),
    _on("rail", "canceled at the prompt", "mfa", cancels=True, expects=(Status.CANCELED, None)),
    _on("rail", "webhook lost", "succeeds", webhooks="lost"),
    _on("rail", "webhook twice", "succeeds", webhooks="twice"),
    _on("rail", "webhook before the answer", "succeeds", webhooks="early"),
    _on("rail", "answer to the create lost", "response_lost"),
    _on("rail", "too many requests", "rate_limited"),
    _on("fintoc", "succeeds", "succeeds"),
    _on("fintoc", "mixed accounts", "mixed", expects=(Status.PARTIAL, Reason.PROVIDER_ERROR)),
    _on("fintoc", "failed, tried again", "fails", "succeeds"),
    _on("fintoc", "wrong credentials", "rejects", expects=(Status.REJECTED, Reason.CREDENTIALS_REJECTED)),
    _on("fintoc", "login locked", "locks", expects=(Status.REJECTED, Reason.CREDENTIALS_LOCKED)),
    _on("fintoc", "rejected, not confirmed", "rejects_unconfirmed", "succeeds"),
    _on("fintoc", "needs support", "needs_support", expects=(Status.FAILED, Reason.NEEDS_SUPPORT)),
    _on("fintoc", "code: right", "mfa", person="right_code"),
    _on("fintoc", "code: wrong", "mfa", person="wrong_code", expects=_WRONG_CODE),
    _on("fintoc", "code: nobody answers", "mfa", person="walk_away", expects=_NO_CODE),
    _on("fintoc", "canceled while it runs", "succeeds", cancels=True, expects=(Status.CANCELED, None)),
    _on("fintoc", "cooldown", "cooldown"),
    _on("fintoc", "running already", "already_running"),
    _on("fintoc", "webhooks lost", "succeeds", webhooks="lost"),
    _on("fintoc", "webhooks twice", "succeeds", webhooks="twice"),
    _on("fintoc", "webhooks before the answer", "succeeds", webhooks="early"),
)
