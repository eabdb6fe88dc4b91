"""When dead objects are sought, and when not."""

import asyncio
import gc

import pytest

from daemun import garbage


async def test_none_is_sought_while_a_change_is_on_its_way() -> None:
    with garbage.unsought():
        assert not gc.isenabled()
        await asyncio.sleep(0)
        assert not gc.isenabled()
    assert gc.isenabled()


async def test_of_changes_that_overlap_the_first_counts() -> None:
    with garbage.unsought():
        with garbage.unsought():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


async def test_nor_is_it_left_out_when_that_failed() -> None:
    with pytest.raises(ZeroDivisionError), garbage.unsought():
        raise ZeroDivisionError
    assert gc.isenabled()


async def test_a_change_that_waits_for_something_does_not_keep_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LONGEST_S", 0.01)
    async with asyncio.timeout(60):
        with garbage.unsought():
            while not gc.isenabled():
                await asyncio.sleep(0)
    assert gc.isenabled()
