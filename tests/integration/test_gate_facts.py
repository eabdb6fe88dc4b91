"""What alerts need of the machine is looked at only while somebody gets them."""

import asyncio
import contextlib
import dataclasses
import pathlib

from daemun.alerts import gate_facts
from daemun.control import reconciler
from daemun.core import layout, model
from daemun.core.alerts import alert_ledger, gate_concerns
from daemun.core.nginx_builds import nginx_weaknesses
from daemun.core.options import alerting_forms, alerts_option, catalogue, logs_option
from daemun.core.traffic import error_shares
from tests.support.clock import FakeClock
from tests.support.standings import NOW

TARGET = alerts_option.Alerts(webhooks=(alerts_option.Webhook(url=model.Secret(text="https://a.test/")),))
OFF = dataclasses.replace(TARGET, rules=alerting_forms.Rules(errors_percent=None))
OLD = model.OldGeneration(number=1, age_s=60.0, workers=(), memory_bytes=5 << 20)
WEAK = nginx_weaknesses.Weakness(name="CVE-1", title="a crash", severity="major")
SERVING = gate_concerns.ServingNginx(name="nginx 1.31.3", weaknesses=(WEAK,))


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


def make(
    tmp_path: pathlib.Path, alerts: alerts_option.Alerts | None, changes: list[None], *shares: gate_facts.Shares | None
) -> gate_facts.GateFacts:
    left = list(shares)
    return gate_facts.GateFacts(
        layout.Layout(str(tmp_path)),
        Old(),
        FakeClock(NOW),
        find_last=lambda: None if alerts is None else outcome(alerts),
        look_at_nginx=lambda: SERVING,
        count_errors=lambda since, now: left.pop(0),
        changed=lambda: changes.append(None),
    )


def settings(rules: alerting_forms.Rules, *, traffic: bool = True) -> model.Globals:
    alerts = alerts_option.OPTION.set(dataclasses.replace(TARGET, rules=rules))
    return model.Globals(options=catalogue.values(alerts, logs_option.OPTION.set(logs_option.Logs(traffic=traffic))))


async def test_what_is_found(tmp_path: pathlib.Path) -> None:
    changes: list[None] = []
    found = make(tmp_path, TARGET, changes, {}, {})
    full = settings(alerting_forms.Rules(disk=alerting_forms.FreeSpace(size_bytes=1 << 62)))
    await found.look(full)
    assert [one.folder for one in found.facts.low] == [str(tmp_path)], "it is one disk"
    assert 0 < found.facts.low[0].free_bytes <= found.facts.low[0].total_bytes
    assert (found.facts.old, found.facts.old_bytes) == (2, 10 << 20)
    assert found.facts.nginx == SERVING
    await found.look(full)
    assert len(changes) == 1


async def test_requests_that_fail(tmp_path: pathlib.Path) -> None:
    """What cannot be counted now is as it was; nothing is where requests are not counted."""
    share = error_shares.ErrorShare(requests=21, errors=13, status=502)
    found = make(tmp_path, TARGET, [], {"bad.test": share}, None)
    rules = alerting_forms.Rules()
    site = model.Site(host="bad.test", origin=model.NOWHERE)

    def dangers(alerts: alerts_option.Alerts, *troubles: model.SiteStatus) -> set[alert_ledger.Danger]:
        return {one.danger for one in found.find_concerns(outcome(alerts, site), tuple, troubles)}

    for _ in range(2):
        await found.look(settings(rules))
        assert alert_ledger.Danger.ERRORS in dangers(TARGET)
    unserved = model.SiteStatus(site=site, state=model.SiteState.UNREACHABLE)
    assert alert_ledger.Danger.ERRORS not in dangers(TARGET, unserved)
    assert alert_ledger.Danger.ERRORS not in dangers(OFF)
    assert dangers(alerts_option.Alerts()) == set(), "nobody would get them"
    await found.look(settings(rules, traffic=False))
    assert alert_ledger.Danger.ERRORS not in dangers(TARGET)


async def test_nothing_is_looked_at_for_nobody(tmp_path: pathlib.Path) -> None:
    found = make(tmp_path, alerts_option.Alerts(), [])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await found.run()
    assert found.facts.old == 0
