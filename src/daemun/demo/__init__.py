"""The chat demo: a page server and a WebSocket server, each a process of its own, behind a daemun with real HTTPS."""

from daemun.demo.program import Live, run, welcome

__all__ = ["Live", "run", "welcome"]
