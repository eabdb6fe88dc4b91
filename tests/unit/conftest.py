"""Pure code is tested here; what needs an event loop is tested in tests/integration."""

import asyncio.events
import typing

import pytest


@pytest.fixture(autouse=True)
def no_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that begins an event loop, or is a coroutine, fails."""

    def refuse() -> typing.NoReturn:
        pytest.fail("tests/unit has no event loop: test the pure part here, or move the test to tests/integration")

    monkeypatch.setattr(asyncio.events, "new_event_loop", refuse)
