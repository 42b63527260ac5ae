"""Keys and webhook secrets, as far as they can be judged by looking: nothing of them is ever said but their prefix."""

from collections.abc import Iterable, Iterator, Mapping

from bankbridge.doctor.checks import Check, ok, plural, problem, warning
from bankbridge.provider import Provider
from bankbridge.settings import usual_prefixes

_WEBHOOKS = "webhook_secrets"


def examine_secrets(name: str, provider: Provider, others: Mapping[str, Provider]) -> Iterator[Check]:
    """The keys and webhook secrets of one connection, also held against those of the ``others``."""
    odd = [*_prefixes(name, provider), *_modes(name, provider)]
    yield from odd
    secrets = webhook_secrets(provider)
    if secrets is None or not provider.capabilities.event_types:
        return
    if not secrets:
        yield problem(
            "webhook secrets",
            f"{name}: none, so every delivery is refused",
            "register an endpoint at the provider, and configure its secret: docs/how-to/take-webhooks.md",
        )
        return
    shared = [other for other, theirs in others.items() if set(secrets) & set(webhook_secrets(theirs) or ())]
    for other in shared:
        yield warning(
            "webhook secrets",
            f"{name}: shares one with {other}, so a delivery for one is believed at the other, too",
            "give each connection an endpoint of its own, with a secret of its own",
        )
    if not odd and not shared:
        rotated = ", one of them while it is rotated" if len(secrets) > 1 else ""
        yield ok("webhook secrets", f"{name}: {plural(len(secrets), 'secret')}{rotated}")


def webhook_secrets(provider: Provider) -> tuple[str, ...] | None:
    """The secrets that deliveries are signed with; ``None`` for a provider that has no such setting."""
    return getattr(provider, _WEBHOOKS, None)


def _prefixes(name: str, provider: Provider) -> Iterator[Check]:
    for setting, prefixes in usual_prefixes(type(provider)).items():
        unusual = sum(not value.startswith(tuple(prefixes)) for value in _values(provider, setting))
        if unusual:
            usual = " or ".join(f"{prefix}…" for prefix in _shortest(prefixes))
            says = f"{name}: {setting} does not begin with {usual}, as {provider.name} documents it"
            yield warning(_label(setting), says, "see that nothing else was pasted; if it works, all is well")


def _shortest(prefixes: Iterable[str]) -> list[str]:
    """Without those that another one of them begins."""
    found = sorted(prefixes)
    return [one for one in found if not any(one != other and one.startswith(other) for other in found)]


def _modes(name: str, provider: Provider) -> Iterator[Check]:
    """A test key beside a live secret: one of the two is of the wrong endpoint."""
    modes: dict[str, str] = {}
    for setting, prefixes in usual_prefixes(type(provider)).items():
        for value in _values(provider, setting):
            mode = next((mode for prefix, mode in prefixes.items() if value.startswith(prefix)), None)
            if mode is not None:
                modes.setdefault(mode, setting)
    if len(modes) > 1:
        said = ", ".join(f"{setting} is of {mode} mode" for mode, setting in modes.items())
        remedy = "take the secret of the endpoint that was registered with this key"
        yield warning("webhook secrets", f"{name}: {said}", remedy)


def _values(provider: Provider, setting: str) -> tuple[str, ...]:
    value: str | tuple[str, ...] = getattr(provider, setting)
    return (value,) if isinstance(value, str) else value


def _label(setting: str) -> str:
    return "webhook secrets" if setting == _WEBHOOKS else "keys"
