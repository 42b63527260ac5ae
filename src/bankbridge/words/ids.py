"""Ids. Every one is opaque: compare it, store it, never parse it."""

from typing import NewType

ConnectionName = NewType("ConnectionName", str)
"""The name an application gave to one configured provider, as in ``bankbridge.toml``."""

LinkId = NewType("LinkId", str)
"""A person's connection to an institution, by the provider's id."""

AccountId = NewType("AccountId", str)
"""An account, by the provider's id."""

MovementId = NewType("MovementId", str)
"""A movement, by the provider's id; unique within its account."""

IntentId = NewType("IntentId", str)
"""A refresh intent of ours."""

RefreshId = NewType("RefreshId", str)
"""One attempt at the provider: what Rail and Fintoc call the id of a ``refresh_intent``."""

PromptId = NewType("PromptId", str)
"""A prompt of ours: a digest of what the provider handed out, so that it can be logged."""

DeliveryId = NewType("DeliveryId", str)
"""A delivery in our inbox: connection and identity, so that two copies have one id."""
