"""O6: names that are added at once are added together, each with its own outcome."""

import asyncio
import collections.abc
import pathlib

import pytest

from daemun import errors
from daemun.core import model
from daemun.core.certificates import on_demand_names
from daemun.core.options import catalogue, on_demand_option
from daemun.on_demand import name_registry
from daemun.store import file_store
from tests.support import issuing
from tests.support.sites import route


class PartlyFull(file_store.FileStore):
    """A disk that has no room for some keys."""

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, errors.EnvironmentProblemError]:
        bad = {key: errors.EnvironmentProblemError("no space left on the device") for key in values if "no-room" in key}
        return {**bad, **super().write_all({key: value for key, value in values.items() if key not in bad})}


async def made(tmp_path: pathlib.Path, most: int) -> tuple[name_registry.Registry, issuing.StateDirectory]:
    gate = issuing.StateDirectory(tmp_path / "state")
    store = PartlyFull(pathlib.Path(gate.paths.store))
    found = name_registry.Registry(store, await gate.manager(model.Acme()), gate.clock)
    site = model.Site(
        host="app.test",
        routes=(route("/", "http://10.0.0.1"),),
        options=catalogue.values(on_demand_option.OPTION.set(on_demand_option.OnDemand(most=most))),
    )
    assert await found.publish(model.Desired(globals=model.Globals(), sites=(site,))) == ()
    return found, gate


async def test_o6_many_at_once(tmp_path: pathlib.Path) -> None:
    found, gate = await made(tmp_path, most=1000)
    hosts = [f"n{number}.example.com" for number in range(150)]
    assert await asyncio.gather(*map(found.add, [*hosts, *hosts])) == [None] * 300
    assert found.hosts() == tuple(sorted(hosts))
    for host in hosts:
        assert gate.leaf(host) is not None
        assert (pathlib.Path(gate.paths.store) / "domains" / f"{host}.json").exists()


async def test_o6_each_has_its_own_outcome(tmp_path: pathlib.Path) -> None:
    found, _ = await made(tmp_path, most=3)
    hosts = ["a.example.com", "*.b.example.com", "app.test", "no-room.example.com", "c.example.com", "a.example.com"]
    said = await asyncio.gather(*map(found.add, hosts), return_exceptions=True)
    assert [one.denial if isinstance(one, on_demand_names.RefusedName) else type(one) for one in said] == [
        type(None),
        on_demand_names.Denial.INVALID,
        on_demand_names.Denial.TAKEN,
        errors.EnvironmentProblemError,
        type(None),
        type(None),
    ]
    assert found.hosts() == ("a.example.com", "c.example.com")
    rest = await asyncio.gather(*map(found.add, ["d.example.com", "e.example.com"]))
    assert [one.denial if one else None for one in rest] == [None, on_demand_names.Denial.FULL]


async def test_o6_who_goes_away_takes_nobody_along(tmp_path: pathlib.Path) -> None:
    found, _ = await made(tmp_path, most=1000)
    tasks = [asyncio.create_task(found.add(f"n{number}.example.com")) for number in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert {f"n{number}.example.com" for number in range(1, 40, 2)} <= set(found.hosts())
    assert await found.add("n0.example.com") is None


pytestmark = pytest.mark.timeout(120)
