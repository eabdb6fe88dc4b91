"""What alerts need of the machine is looked at only while somebody gets them."""

import asyncio
import contextlib
import dataclasses
import pathlib

from daemun.control import reconciler
from daemun.core import layout, model
from daemun.core.alerts import alert_ledger
from daemun.core.nginx_builds import nginx_build, nginx_weaknesses
from daemun.core.options import alerting_forms, alerts_option, catalogue
from daemun.nginx.builds import running_build
from daemun.wiring import gate_facts
from tests.support.clock import FakeClock
from tests.support.standings import MINUTE, NOW

TARGET = alerts_option.Alerts(webhooks=(alerts_option.Webhook(url=model.Secret(text="https://a.test/")),))
OFF = dataclasses.replace(TARGET, rules=alerting_forms.Rules(errors_percent=None))
OLD = model.OldGeneration(number=1, age_s=60.0, workers=(), memory_bytes=5 << 20)
WEAK = nginx_weaknesses.Weakness(name="CVE-1", title="a crash", severity="major")


class Old:
    async def list_old(self) -> tuple[model.OldGeneration, ...]:
        return (OLD, OLD)

    async def count_sockets(self, old: tuple[model.OldGeneration, ...]) -> tuple[model.OldGeneration, ...]:
        raise AssertionError

    async def end_worker(self, worker: model.OldWorker) -> None:
        raise AssertionError

    async def close_sockets(self, one: model.OldGeneration, most: int) -> int:
        raise AssertionError


def outcome(alerts: alerts_option.Alerts, *sites: model.Site) -> reconciler.Outcome:
    options = catalogue.values(alerts_option.OPTION.set(alerts))
    return reconciler.Outcome(desired=model.Desired(globals=model.Globals(options=options), sites=sites))


def make(tmp_path: pathlib.Path, alerts: alerts_option.Alerts | None, changes: list[None]) -> gate_facts.GateFacts:
    build = nginx_build.Build(path="nginx", version=(1, 31, 3), arguments=frozenset(), openssl="3.5.0", libc="glibc")
    exposure = running_build.Exposure(build=build, weaknesses=(WEAK,), serves=True, is_replaced=False)
    return gate_facts.GateFacts(
        layout.Layout(str(tmp_path)),
        Old(),
        FakeClock(NOW),
        find_last=lambda: None if alerts is None else outcome(alerts),
        find_exposure=lambda: exposure,
        changed=lambda: changes.append(None),
    )


async def test_what_is_found(tmp_path: pathlib.Path) -> None:
    changes: list[None] = []
    found = make(tmp_path, TARGET, changes)
    full = alerting_forms.FreeSpace(size_bytes=1 << 62)
    await found.look(alerting_forms.Rules(disk=full))
    assert [one.folder for one in found.facts.low] == [str(tmp_path)], "it is one disk"
    assert 0 < found.facts.low[0].free_bytes <= found.facts.low[0].total_bytes
    assert (found.facts.old, found.facts.old_bytes) == (2, 10 << 20)
    assert (found.facts.nginx, found.facts.weaknesses) == ("nginx 1.31.3", (WEAK,))
    await found.look(alerting_forms.Rules(disk=full))
    assert len(changes) == 1


async def test_requests_that_fail(tmp_path: pathlib.Path) -> None:
    """Of all names of a site together; not of one that is reported as unserved, or closed for a while."""
    found = make(tmp_path, TARGET, [])
    (tmp_path / "logs").mkdir()

    def line(host: str, status: int, minutes: int = 1) -> str:
        return (
            f'192.0.2.1 - - [{NOW - minutes * MINUTE:%d/%b/%Y:%H:%M:%S} +0000] "GET / HTTP/1.1" {status} 5 "-" "-" '
            f'host="{host}" upstream="-" upstream_status="-" request_time=0.000 upstream_response_time="-" tls="-" '
            "request_id=1-1\n"
        )

    old = line("good.test", 502, minutes=10) * 200
    bad = line("bad.test", 200) * 8 + line("www.bad.test", 502) * 12 + line("bad.test", 504)
    few = line("few.test", 500) * 19
    (tmp_path / "logs" / "access.log").write_text(old + line("good.test", 200) * 300 + bad + few)
    rules = alerting_forms.Rules()
    await found.look(rules)
    sites = [model.Site(host=host, origin=model.NOWHERE) for host in ("good.test", "few.test", "gone.test")]
    sites.append(model.Site(host="bad.test", aliases=("www.bad.test",), origin=model.NOWHERE))
    last = outcome(TARGET, *sites)
    (concern,) = [one for one in found.find_concerns(last, (), ()) if one.danger is alert_ledger.Danger.ERRORS]
    assert (concern.name, concern.cause) == (
        "bad.test",
        "13 of its last 21 requests (62 %) got a 5xx, most of them 502",
    )
    unserved = model.SiteStatus(site=sites[-1], state=model.SiteState.UNREACHABLE)
    kinds = {one.danger for one in found.find_concerns(last, (), (unserved,))}
    assert alert_ledger.Danger.ERRORS not in kinds
    assert {one.danger for one in found.find_concerns(outcome(OFF, *sites), (), ())} <= {alert_ledger.Danger.WEAK}


async def test_nothing_is_looked_at_for_nobody(tmp_path: pathlib.Path) -> None:
    found = make(tmp_path, alerts_option.Alerts(), [])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await found.run()
    assert found.facts.old == 0
