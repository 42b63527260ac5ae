"""The stand-in for a provider's widget: a page in which a person connects a bank, or answers its prompt for a code."""

from bankbridge.emulation.widget.routes import widget_routes

__all__ = ["widget_routes"]
