"""A connection: one configured provider under the application's name for it, and the policy that applies to it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import attrs

from bankbridge.machine.joint import EveryAccount, OneWord
from bankbridge.machine.link import Link
from bankbridge.machine.policy import Policy
from bankbridge.provider import Capabilities, Correlation, Granularity, Provider
from bankbridge.shells.pace import Limiter
from bankbridge.wire import Response
from bankbridge.words.errors import UnknownConnectionError
from bankbridge.words.ids import ConnectionName, IntentId


@attrs.frozen(kw_only=True)
class Connection:
    """One configured provider. Two organisations, or test and live, are two connections."""

    name: ConnectionName
    provider: Provider = attrs.field(repr=False)
    policy: Policy

    def policy_of(self, link: Link) -> Policy:
        """The policy in force for a link: its bank's, where that has one of its own."""
        return self.policy.at(None if link.institution is None else link.institution.id)


def policy_for(capabilities: Capabilities, base: Policy | None = None) -> Policy:
    """``base``, the application's numbers, with what the provider decides: joint rule, cooldowns, polls.

    A policy may lengthen the provider's times, never shorten them. The same is done at each institution.
    """
    base = Policy() if base is None else base
    confirm = capabilities.correlation is Correlation.ACCOUNT_AND_TIME
    return attrs.evolve(
        base,
        joint=OneWord() if capabilities.granularity is Granularity.LINK else EveryAccount(confirm=confirm),
        cooldowns={
            scope: max(told.get(scope, timedelta(0)) for told in (base.cooldowns, capabilities.cooldowns))
            for scope in (*base.cooldowns, *capabilities.cooldowns)
        },
        can_cancel=capabilities.cancels,
        new_key_after_answer=capabilities.replays_errors,
        timing=attrs.evolve(
            base.timing,
            first_poll=max(base.timing.first_poll, capabilities.first_poll, capabilities.poll_floor),
            longest_poll=max(
                min(base.timing.longest_poll, capabilities.longest_poll), capabilities.poll_floor
            ),
            poll_floor=max(base.timing.poll_floor, capabilities.poll_floor),
        ),
        institutions={name: policy_for(capabilities, one) for name, one in base.institutions.items()},
    )


@attrs.frozen(kw_only=True)
class Core:
    """What every job needs: the connections, and time and ids from outside; and what holds requests back.

    ``strangers``: since when something is due at a connection that is not one of these, once it was noticed.
    """

    connections: Mapping[ConnectionName, Connection]
    limiters: Mapping[ConnectionName, Limiter]
    clock: Callable[[], datetime]
    new_id: Callable[[], IntentId]
    strangers: list[datetime] = attrs.field(factory=list[datetime], eq=False, repr=False)

    def connection(self, name: str) -> Connection:
        """One connection. Raises `UnknownConnectionError` that lists the known ones."""
        found = self.connections.get(ConnectionName(name))
        if found is None:
            known = ", ".join(self.connections) or "none"
            msg = f"connection {name!r}: not configured (known: {known})"
            raise UnknownConnectionError(msg)
        return found

    def held_back(self, connection: Connection, *, is_look: bool) -> Response | None:
        """What a request is answered that would be too much for the provider; ``None`` when it may go."""
        limiter = self.limiters.get(connection.name)
        return None if limiter is None else limiter.instead(is_look=is_look)


def connections_of(
    providers: Mapping[str, Provider], policies: Mapping[str, Policy]
) -> Mapping[ConnectionName, Connection]:
    """Name each provider. ``policies`` replaces the default policy of a connection, whole."""
    unknown = policies.keys() - providers.keys()
    if unknown:
        msg = f"policy for {', '.join(sorted(unknown))}: no such connection"
        raise UnknownConnectionError(msg)
    return MappingProxyType(
        {
            ConnectionName(name): Connection(
                name=ConnectionName(name),
                provider=provider,
                policy=policies.get(name) or policy_for(provider.capabilities),
            )
            for name, provider in providers.items()
        }
    )
