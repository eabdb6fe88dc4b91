"""The keys of TLS session tickets: a machine never gets a ticket that another one cannot decrypt, and no key stays."""

import datetime
import itertools

import hypothesis
import pytest
from hypothesis import strategies

from daemun.fleet import ticket_rotation
from daemun.fleet.ticket_rotation import TicketKey, TicketKeys

NOW = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
NODES = ("a", "b", "c")


class Fleet:
    """Machines whose nginx has the keys as they were when it was reloaded last."""

    def __init__(self) -> None:
        self.now = NOW
        self.keys: TicketKeys | None = None
        self.loaded: dict[str, tuple[str, ...]] = {}
        self.drawn = itertools.count()

    def draw(self) -> TicketKey:
        return TicketKey(number=f"{next(self.drawn):016x}", secret=bytes(ticket_rotation.SECRET_BYTES))

    def turn(self, living: tuple[str, ...] = NODES) -> None:
        self.keys = ticket_rotation.rotate(self.keys, self.now, loaded=self.loaded, living=living, draw=self.draw)

    def load(self, *nodes: str) -> None:
        assert self.keys is not None
        self.loaded |= dict.fromkeys(nodes, tuple(one.number for one in self.keys.keys))

    @property
    def numbers(self) -> list[int]:
        return [] if self.keys is None else [int(one.number, 16) for one in self.keys.keys]


def test_a_new_key_comes_last_and_is_first_once_all_have_it() -> None:
    fleet = Fleet()
    fleet.turn()
    assert fleet.numbers == [0]
    fleet.load(*NODES)
    fleet.now += 23 * HOUR
    fleet.turn()
    assert fleet.numbers == [0]
    fleet.now += HOUR
    fleet.turn()
    fleet.load("a", "b")
    fleet.turn()
    assert fleet.numbers == [0, 1]
    fleet.turn(living=("a", "b"))
    assert fleet.numbers == [1, 0], "who does not live is not waited for"
    fleet.now += 24 * HOUR
    fleet.turn()
    assert fleet.numbers == [1, 0, 2]
    fleet.load(*NODES)
    fleet.turn()
    assert fleet.numbers == [2, 1]


def test_a_machine_that_cannot_load_it_does_not_keep_a_key_for_good() -> None:
    fleet = Fleet()
    for _ in range(4):
        fleet.turn()
        fleet.now += 24 * HOUR
    assert fleet.numbers[0] > 0


def test_a_clock_that_was_put_back_ends_no_turns() -> None:
    fleet = Fleet()
    fleet.turn()
    fleet.load(*NODES)
    fleet.now -= 1000 * HOUR
    fleet.turn()
    assert fleet.numbers == [0, 1]


@hypothesis.given(strategies.lists(strategies.sampled_from(["turn", "hours", *NODES]), max_size=60))
def test_what_encrypts_all_can_decrypt(steps: list[str]) -> None:
    """As long as each living machine reloads within a day."""
    fleet = Fleet()
    fleet.turn()
    fleet.load(*NODES)
    for step in steps:
        if step == "turn":
            fleet.turn()
        elif step == "hours":
            fleet.now += 8 * HOUR
            fleet.load(*NODES)
        else:
            fleet.load(step)
        first = {found[0] for found in fleet.loaded.values()}
        assert all(first <= set(found) for found in fleet.loaded.values()), fleet.loaded
        assert fleet.keys is not None
        assert ticket_rotation.decode(ticket_rotation.encode(fleet.keys)) == fleet.keys
        assert len(fleet.numbers) <= 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": [], "is_next_last": false, "turned_at": "2026-11-30T00:00:00+00:00"}',
        b'{"keys": [{"number": "../x", "secret": ""}], "is_next_last": false, "turned_at": "2026-11-30T00:00:00Z"}',
    ],
)
def test_what_is_no_such_text_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        ticket_rotation.decode(content)
