"""Who is told what, once, with real receivers that are slow, down or out of order, and over restarts."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import json

import pytest
import structlog

from daemun.alerts import ledger_store, notifier
from daemun.core import model
from daemun.core.alerts import alert_ledger, alert_outbox
from daemun.core.options import alerting_forms, alerts_option, quiet_hours
from daemun.errors import ConfigError
from daemun.store import memory_store
from tests.support import ports, receivers
from tests.support.clock import FakeClock
from tests.support.standings import DAY, HOUR, MINUTE, NOW, failing, served

SECRET = "T0Ps3cret"


class Counting(notifier.Notifier):
    """rounds: how often it looked, and then went to sleep."""

    rounds = 0

    async def _sleep(self, until: datetime.datetime | None) -> None:
        self.rounds += 1
        await super()._sleep(until)

    @property
    def telling(self) -> int:
        """How many targets are being told something."""
        return len(self._delivering)


class World:
    """A teller that a test can look at, restart, and move in time."""

    def __init__(self, *urls: str) -> None:
        self.clock = FakeClock(NOW)
        self.store = memory_store.MemoryStore()
        self.alerts = alerts_option.Alerts(
            webhooks=tuple(alerts_option.Webhook(url=model.Secret(text=f"{url}/{SECRET}")) for url in urls)
        )
        self.certificates: tuple[model.CertificateStatus, ...] = ()
        self.concerns: tuple[alert_ledger.Concern, ...] = ()
        self.is_known = True

    def look(self) -> notifier.AlertInput | None:
        if not self.is_known:
            return None
        return notifier.AlertInput(alerts=self.alerts, certificates=self.certificates, concerns=self.concerns)

    @contextlib.asynccontextmanager
    async def running(self) -> collections.abc.AsyncIterator["Running"]:
        told = Counting(self.store, self.clock, self.look, machine="gate1", version="1.2.3")
        task = asyncio.create_task(told.run())
        try:
            yield Running(self, told, task)
        finally:
            assert not task.done(), task
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class Running:
    def __init__(self, world: World, told: Counting, task: asyncio.Task[None]) -> None:
        self.world = world
        self.alerting = told
        self.task = task

    async def until(self, is_reached: collections.abc.Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_reached():
                assert not self.task.done(), self.task
                await asyncio.sleep(0.01)

    async def calm(self) -> None:
        """Wait until nobody is being told anything."""
        await self.until(lambda: self.alerting.telling == 0)

    async def pass_(self, span: datetime.timedelta, *certificates: model.CertificateStatus) -> None:
        """These are the certificates after a while; the teller sees it. Ends when it has looked and sleeps again."""
        self.world.clock.advance(span)
        self.world.certificates = certificates
        rounds = self.alerting.rounds
        self.alerting.wake()
        # One round may have begun before: the next one sees all of this.
        await self.until(lambda: self.alerting.rounds > rounds)
        self.alerting.wake()
        await self.until(lambda: self.alerting.rounds > rounds + 1)


async def endanger(running: Running, *hosts: str) -> None:
    """Certificates with a day left, long enough ago for a message."""
    statuses = [served(host, left=DAY) for host in hosts or ("a.test",)]
    await running.pass_(MINUTE, *statuses)
    await running.pass_(MINUTE, *statuses)


@pytest.fixture
def one() -> collections.abc.Iterator[receivers.Receiver]:
    with receivers.receiving() as found:
        yield found


@pytest.fixture
def other() -> collections.abc.Iterator[receivers.Receiver]:
    with receivers.receiving() as found:
        yield found


async def test_once_and_once_more_over_restarts(one: receivers.Receiver) -> None:
    world = World(one.url)
    async with world.running() as running:
        await endanger(running)
        await running.until(lambda: len(one.taken) == 1)
        await running.calm()
        await running.pass_(DAY / 2, served(left=DAY))
        await running.calm()
    async with world.running() as running:
        await endanger(running)
        await running.calm()
    async with world.running() as running:
        await running.pass_(DAY, served(left=90 * DAY))
        await running.pass_(MINUTE, served(left=90 * DAY))
        await running.until(lambda: len(one.taken) == 2)
        await running.calm()
    async with world.running() as running:
        await running.pass_(MINUTE, served(left=90 * DAY))
        await running.pass_(HOUR, served(left=90 * DAY))
        await running.calm()
    assert [body["event"] for body in one.taken] == ["expiring", "solved"]
    assert len(one.posts) == 2
    assert SECRET not in repr(world.store.read("alerts/ledger.json"))


async def test_what_is_not_urgent_is_sent_in_the_morning(one: receivers.Receiver) -> None:
    """At NOW it is noon in UTC. What visitors suffer from passes; the rest comes as one message of each kind."""
    world = World(one.url)
    hours = quiet_hours.parse("11:00-13:00")
    world.alerts = dataclasses.replace(world.alerts, quiet=alerting_forms.Quiet(hours=hours, zone="UTC"))
    full, weak = (
        alert_ledger.Concern(danger=danger, name=danger.value, about="gate1", cause="it is so")
        for danger in (alert_ledger.Danger.FILLING, alert_ledger.Danger.WEAK)
    )
    world.concerns = (full, weak)
    async with world.running() as running:
        await endanger(running)
        await running.pass_(MINUTE, served("a.test", left=DAY), served("b.test", left=-DAY))
        await running.pass_(MINUTE, served("a.test", left=DAY), served("b.test", left=-DAY))
        await running.until(lambda: len(one.taken) == 1)
        await running.calm()
        world.concerns = (full,)
        await running.pass_(HOUR, served("a.test", left=DAY), served("b.test", left=-DAY))
        await running.until(lambda: len(one.taken) == 2)
        await running.calm()
    assert [body["event"] for body in one.taken] == ["expiring", "filling"]
    assert {each["host"] for each in one.taken[0]["certificates"]} == {"a.test", "b.test"}
    assert [each["danger"] for each in one.taken[1]["gate"]] == ["filling"]


async def test_two_hundred_with_one_cause_are_one_message(one: receivers.Receiver) -> None:
    world = World(one.url)
    hosts = [f"{number}.test" for number in range(200)]
    async with world.running() as running:
        for tries in range(3):
            now = world.clock.now()
            statuses = [failing(host, attempt=now, reason=f"cannot reach {host}") for host in hosts]
            await running.pass_((tries + 1) * MINUTE, *statuses)
        await running.pass_(MINUTE, *statuses)
        await running.until(lambda: len(one.taken) == 1)
    (body,) = one.taken
    assert len(body["certificates"]) == 200
    assert body["text"].count("cannot reach") == 1


async def test_one_that_answers_500_gets_it_again(one: receivers.Receiver) -> None:
    world = World(one.url)
    one.statuses += [500, 503]
    async with world.running() as running:
        await endanger(running)
        await running.until(lambda: len(one.posts) == 1)
        await running.calm()
        await running.pass_(alert_outbox.FIRST_PAUSE / 2, *world.certificates)
        await running.calm()
        assert len(one.posts) == 1, "not before the pause is over"
        await running.pass_(alert_outbox.FIRST_PAUSE, *world.certificates)
        await running.until(lambda: len(one.posts) == 2)
        await running.calm()
        await running.pass_(alert_outbox.FIRST_PAUSE * 2, *world.certificates)
        await running.until(lambda: len(one.posts) == 3)
        await running.pass_(DAY / 4, *world.certificates)
        await running.calm()
    assert [post.answered for post in one.posts] == [500, 503, 200]


async def test_one_that_is_down_is_tried_until_it_is_back(one: receivers.Receiver) -> None:
    """It costs the others nothing, is logged once, and its secret is not in the log."""
    port = ports.free_port()
    world = World(f"http://127.0.0.1:{port}", one.url)
    with structlog.testing.capture_logs() as logs:
        async with world.running() as running:
            await endanger(running)
            await running.until(lambda: len(one.taken) == 1)
            for _ in range(3):
                await running.calm()
                await running.pass_(HOUR, *world.certificates)
            await running.calm()
            with receivers.receiving(port) as back:
                await running.pass_(HOUR, *world.certificates)
                await running.until(lambda: len(back.taken) == 1)
    assert len(one.taken) == 1
    complaints = [line for line in logs if line["event"] == "an alert was not delivered"]
    assert [line["error"].split(";")[0] for line in complaints] == ["connection refused"]
    assert complaints[0]["target"] == "webhook at 127.0.0.1"
    assert SECRET not in repr(logs)


async def test_what_is_over_before_one_is_back_is_not_told(one: receivers.Receiver) -> None:
    port = ports.free_port()
    world = World(f"http://127.0.0.1:{port}", one.url)
    async with world.running() as running:
        await endanger(running)
        await running.until(lambda: len(one.taken) == 1)
        await running.calm()
        await running.pass_(HOUR, served())
        await running.pass_(HOUR, served())
        await running.until(lambda: len(one.taken) == 2)
        with receivers.receiving(port) as back:
            await running.pass_(HOUR, served())
            await running.pass_(HOUR, served())
            await running.calm()
    assert [body["event"] for body in one.taken] == ["expiring", "solved"]
    assert back.posts == []


async def test_a_slow_one_keeps_nobody_waiting(one: receivers.Receiver, other: receivers.Receiver) -> None:
    world = World(one.url, other.url)
    one.answers.clear()
    async with world.running() as running:
        await endanger(running, "a.test")
        await running.until(lambda: len(other.taken) == 1 and running.alerting.telling == 1)
        await endanger(running, "a.test", "b.test")
        await running.pass_(alert_outbox.INTERVAL, *world.certificates)
        await running.until(lambda: len(other.taken) == 2)
        assert one.posts == []
        one.answers.set()
        await running.until(lambda: len(one.taken) == 1)
        await running.calm()
        await running.pass_(alert_outbox.INTERVAL, *world.certificates)
        await running.until(lambda: len(one.taken) == 2)
    assert [[each["host"] for each in body["certificates"]] for body in one.taken] == [["a.test"], ["b.test"]]


async def test_one_that_is_added_hears_of_present_dangers(one: receivers.Receiver) -> None:
    world = World()
    async with world.running() as running:
        await endanger(running)
        world.alerts = World(one.url).alerts
        await running.pass_(MINUTE, *world.certificates)
        await running.until(lambda: len(one.taken) == 1)


async def test_nothing_is_told_before_anything_is_known(one: receivers.Receiver) -> None:
    """An empty list of certificates right after a start does not mean that all dangers are over."""
    world = World(one.url)
    async with world.running() as running:
        await endanger(running)
        await running.until(lambda: len(one.taken) == 1)
    world.is_known = False
    async with world.running() as running:
        await running.pass_(DAY / 4)
        await running.pass_(DAY / 4)
        await running.calm()
        with pytest.raises(ConfigError, match="has not read its configuration yet"):
            await running.alerting.test()
    assert len(one.posts) == 1


async def test_a_ledger_that_cannot_be_read(one: receivers.Receiver) -> None:
    world = World(one.url)
    world.store.write("alerts/ledger.json", b'{"alarms": 3}')
    async with world.running() as running:
        await endanger(running)
        await running.until(lambda: len(one.taken) == 1)
    assert json.loads(world.store.read("alerts/ledger.json"))["alarms"][0]["host"] == "a.test"


def test_a_ledger_of_earlier_versions_is_read_as_it_is() -> None:
    """Its keys stay, whatever its fields are called: machines of a fleet read each other's."""
    kept = {
        "watched": [{"name": "a.test", "failing_since": "2026-11-30T09:00:00Z", "failures": 2, "attempt": None}],
        "alarms": [
            {
                "danger": "failing",
                "name": "a.test",
                "host": "a.test",
                "names": ["a.test", "www.a.test"],
                "raised_at": "2026-11-30T09:10:11Z",
                "solved_at": None,
                "told": ["mail", "ntfy"],
                "cause": "the CA is down",
                "cure": "",
            }
        ],
        "sent": [{"target": "mail", "event": "failing", "at": "2026-11-30T09:10:21Z"}],
        "begun": [{"danger": "filling", "name": "/var", "at": "2026-11-30T09:00:00Z"}],
    }
    found = ledger_store.decode(json.dumps(kept).encode())
    (alert,) = found.alerts
    assert (alert.host, alert.notified, found.watched[0].failures) == ("a.test", ("mail", "ntfy"), 2)
    again = json.loads(ledger_store.encode(found))
    assert again["alarms"] == kept["alarms"]
    assert (again["sent"], again["begun"]) == (kept["sent"], kept["begun"])
    with pytest.raises(ValueError, match=r".+"):
        ledger_store.decode(b"[" * 100_000)


async def test_a_test_tells_of_each_how_it_went(one: receivers.Receiver, other: receivers.Receiver) -> None:
    world = World(one.url, other.url)
    other.statuses.append(403)
    async with world.running() as running:
        (good, bad) = await running.alerting.test()
    assert (good.target, good.error) == ("webhook at 127.0.0.1", None)
    assert bad.error is not None
    assert "403 (Forbidden)" in bad.error
    assert [body["event"] for body in one.taken] == ["test"]
    assert (
        await notifier.Notifier(world.store, world.clock, World().look, machine="gate1", version="1.2.3").test() == ()
    ), "nobody to be told"
