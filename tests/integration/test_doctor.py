import collections.abc
import dataclasses
import pathlib

import pytest

from daemun.control import diagnosis
from daemun.core import model
from daemun.core.options import catalogue, on_demand_option
from daemun.errors import ConfigError
from tests.support import fake_gate

LIVE = model.SiteState.LIVE


class Examiner:
    """Notes what is to be looked at, and finds the same of each CA."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        self.asked.append(tuple(hosts))
        return (model.Finding(topic="ca", weight=model.Weight.GOOD, message="the CA answers"),)


@pytest.fixture
def examiner() -> Examiner:
    return Examiner()


def desired(*sites: model.Site) -> model.Desired:
    return model.Desired(globals=model.Globals(), sites=sites)


def site(host: str, **values: object) -> model.Site:
    return dataclasses.replace(fake_gate.proxy_site(host), **values)  # type: ignore[arg-type]


async def look(examiner: Examiner, wanted: model.Desired, host: str | None = None, added: tuple[str, ...] = ()) -> str:
    made = fake_gate.FakeGate(config=pathlib.Path("/daemun.yaml"), state=pathlib.Path("/state"))
    statuses = tuple(model.SiteStatus(site=one, state=LIVE) for one in wanted.sites)
    made.tell(sites=statuses, certificates=(), draining_workers=0)
    found = await diagnosis.diagnose(host, made.told, wanted, examiner, added=added)
    return "\n".join(map(str, found))


async def test_everything(examiner: Examiner) -> None:
    """O4: of what is not wrong, a sum."""
    said = await look(examiner, desired(site("a.example.com"), site("b.example.com"), site("c.test")))
    assert said == "nginx 1.31.3 runs (process 4711)\n3 of 3 sites live\nthe CA answers"
    assert examiner.asked == [("a.example.com",), ("b.example.com",)]


async def test_many_names_are_not_all_looked_at_unasked(examiner: Examiner) -> None:
    """O4"""
    sites = (site(f"s{number}.example.com", aliases=(f"w{number}.example.com",)) for number in range(400))
    said = await look(examiner, desired(*sites))
    assert len(examiner.asked) == diagnosis.MOST_NAMES / 2
    assert said.endswith("300 more names were not looked at; `daemun doctor HOST` looks at one")


async def test_a_name_that_no_ca_is_asked_for(examiner: Examiner) -> None:
    assert "c.test: its site is live" in await look(examiner, desired(site("c.test")), "c.test")
    assert "no site of the gate has this name" in await look(examiner, desired(), "d.test")
    assert examiner.asked == []


async def test_a_private_ca_signs_private_names(examiner: Examiner) -> None:
    wanted = desired(site("c.test", tls=model.Tls(mode=model.TlsMode.ACME)))
    await look(examiner, wanted, "c.test")
    assert examiner.asked == [("c.test",)]


async def test_names_that_were_added(examiner: Examiner) -> None:
    on_demand = catalogue.values(on_demand_option.OPTION.set(on_demand_option.OnDemand()))
    wanted = desired(site("a.example.com", options=on_demand))
    added = ("b.example.net", "c.example.net")
    said = await look(examiner, wanted, "b.example.net", added)
    assert "a.example.com: its site is live" in said
    assert examiner.asked == [("b.example.net",)]
    await look(examiner, wanted, None, added)
    assert examiner.asked[1:] == [("a.example.com",), ("b.example.net",), ("c.example.net",)]


@pytest.mark.parametrize("host", ["", "not a name", "~shop", "a..b"])
async def test_what_is_no_name(examiner: Examiner, host: str) -> None:
    with pytest.raises(ConfigError, match="it is no host name"):
        await look(examiner, desired(), host)
