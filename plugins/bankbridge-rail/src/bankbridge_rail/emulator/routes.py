"""Every route of the emulated Rail's API."""

from starlette.routing import BaseRoute

from bankbridge_rail.emulator.api_keys import KeyRoutes
from bankbridge_rail.emulator.data_routes import DataRoutes
from bankbridge_rail.emulator.door import Door, Entrance
from bankbridge_rail.emulator.endpoint_routes import EndpointRoutes
from bankbridge_rail.emulator.events import Events
from bankbridge_rail.emulator.intent_routes import IntentRoutes
from bankbridge_rail.emulator.link_routes import LinkRoutes
from bankbridge_rail.emulator.linking import Links
from bankbridge_rail.emulator.once import Once
from bankbridge_rail.emulator.stories import Stories
from bankbridge_rail.emulator.widget import Widget
from bankbridge_rail.emulator.world import World


def rail_routes(
    world: World, door: Door, once: Once, events: Events, stories: Stories, links: Links, widget: Widget
) -> list[BaseRoute]:
    """Those that Rail documents, and where the switch ``undocumented_routes`` offers them, those a tool needs."""
    link, data, keys = LinkRoutes(world, links, widget), DataRoutes(world), KeyRoutes(world)
    intent, hook = IntentRoutes(world, stories, once), EndpointRoutes(world, events)
    documented = (
        Entrance("POST", "/v1/api_keys", keys.issue),
        Entrance("POST", "/v1/api_keys/{key_id}/rotate", keys.rotate),
        Entrance("POST", "/v1/widget_tokens", link.create_widget_token),
        Entrance("POST", "/v1/exchange_tokens/{exchange_token}", link.exchange),
        Entrance("GET", "/v1/links", link.list),
        Entrance("POST", "/v1/links", link.create),
        Entrance("DELETE", "/v1/links/{link_id}", link.delete),
        Entrance("GET", "/v1/accounts", data.accounts),
        Entrance("GET", "/v1/accounts/{account_id}", data.account),
        Entrance("GET", "/v1/accounts/{account_id}/movements", data.movements),
        Entrance("POST", "/v1/refresh_intents", intent.create, does_once=True),
        Entrance("GET", "/v1/refresh_intents/{intent_id}", intent.read),
        Entrance("DELETE", "/v1/refresh_intents/{intent_id}", intent.cancel),
        Entrance("POST", "/v1/webhook_endpoints", hook.create),
    )
    undocumented = (
        Entrance("GET", "/v1/api_keys", keys.list),
        Entrance("GET", "/v1/links/{link_id}", link.read),
        Entrance("GET", "/v1/webhook_endpoints", hook.list),
        Entrance("GET", "/v1/webhook_endpoints/{endpoint_id}", hook.read),
        Entrance("PATCH", "/v1/webhook_endpoints/{endpoint_id}", hook.change),
        Entrance("DELETE", "/v1/webhook_endpoints/{endpoint_id}", hook.delete),
        Entrance("POST", "/v1/webhook_endpoints/{endpoint_id}/test", hook.test),
    )
    is_offered = world.switches["undocumented_routes"] == "offered"
    return [door.route(entrance) for entrance in (*documented, *(undocumented if is_offered else ()))]
