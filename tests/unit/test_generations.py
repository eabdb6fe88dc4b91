"""What becomes of old generations of workers: the policy."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemun.core import model, worker_generations
from daemun.core.options import old_workers_option
from daemun.core.worker_generations import DRAIN_S, ReloadVerdict, Urgency

MB = 1 << 20
LIMITS = old_workers_option.OldWorkersBudget(generations=4, memory_bytes=400 * MB, wait_s=60.0, sockets_per_s=5)
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def old(count: int, *, memory_bytes: int = 10 * MB) -> tuple[model.OldGeneration, ...]:
    return tuple(
        model.OldGeneration(
            number=number,
            age_s=100.0 - number,
            workers=(model.OldWorker(pid=1000 + number, started=number),),
            memory_bytes=memory_bytes,
        )
        for number in range(1, count + 1)
    )


@pytest.mark.parametrize(
    ("count", "memory_bytes", "urgency", "waited_s", "verdict"),
    [
        (0, 0, Urgency.CHANGED, 0, ReloadVerdict.RELOAD),
        (3, 10 * MB, Urgency.CHANGED, 0, ReloadVerdict.RELOAD),
        (3, 130 * MB, Urgency.CHANGED, 500, ReloadVerdict.RELOAD),
        (4, 10 * MB, Urgency.CHANGED, 0, ReloadVerdict.WAIT),
        (4, 10 * MB, Urgency.CHANGED, 59.9, ReloadVerdict.WAIT),
        (4, 10 * MB, Urgency.CHANGED, 60, ReloadVerdict.DRAIN),
        (4, 10 * MB, Urgency.CHANGED, 60 + DRAIN_S, ReloadVerdict.OVERDUE),
        (1, 401 * MB, Urgency.CHANGED, 0, ReloadVerdict.WAIT),
        (1, 401 * MB, Urgency.CHANGED, 60, ReloadVerdict.DRAIN),
        # Somebody waits: one generation, or its share of the memory, more.
        (4, 10 * MB, Urgency.REQUESTED, 0, ReloadVerdict.RELOAD),
        (5, 10 * MB, Urgency.REQUESTED, 0, ReloadVerdict.WAIT),
        (1, 500 * MB, Urgency.REQUESTED, 0, ReloadVerdict.RELOAD),
        (1, 501 * MB, Urgency.REQUESTED, 0, ReloadVerdict.WAIT),
        (5, 10 * MB, Urgency.REQUESTED, 60, ReloadVerdict.DRAIN),
        (9, 900 * MB, Urgency.NEEDED, 0, ReloadVerdict.RELOAD),
    ],
)
def test_a_reload(count: int, memory_bytes: int, urgency: Urgency, waited_s: float, verdict: ReloadVerdict) -> None:
    found = old(count, memory_bytes=memory_bytes)
    assert worker_generations.judge(found, LIMITS, urgency=urgency, waited_s=waited_s) is verdict


@given(st.integers(0, 30), st.integers(0, 2000 * MB), st.sampled_from(Urgency), st.integers(1, 20), st.floats(0, 3600))
def test_no_change_waits_for_ever(count: int, memory_bytes: int, urgency: Urgency, most: int, wait_s: float) -> None:
    limits = old_workers_option.OldWorkersBudget(generations=most, memory_bytes=100 * MB, wait_s=wait_s)
    found = old(count, memory_bytes=memory_bytes)
    verdict = worker_generations.judge(found, limits, urgency=urgency, waited_s=wait_s + DRAIN_S)
    assert verdict in {ReloadVerdict.RELOAD, ReloadVerdict.OVERDUE}


@given(st.integers(0, 30), st.sampled_from([Urgency.CHANGED, Urgency.REQUESTED]), st.floats(0, 299))
def test_before_that_one_generation_beyond_the_budget_is_the_most(
    count: int, urgency: Urgency, waited_s: float
) -> None:
    if worker_generations.judge(old(count), LIMITS, urgency=urgency, waited_s=waited_s) is ReloadVerdict.RELOAD:
        assert count + 1 <= LIMITS.generations + (urgency is Urgency.REQUESTED)


@given(st.integers(0, 1_000_000), st.integers(1, 10_000))
def test_every_socket_is_told_in_time(sockets: int, per_s: int) -> None:
    chosen = worker_generations.sockets_per_s(sockets, old_workers_option.OldWorkersBudget(sockets_per_s=per_s))
    assert chosen >= per_s
    assert chosen * DRAIN_S >= sockets


def test_few_sockets_are_closed_as_slowly_as_configured() -> None:
    assert worker_generations.sockets_per_s(900, LIMITS) == 5
    assert worker_generations.sockets_per_s(901, LIMITS) == 6
    assert worker_generations.sockets_per_s(18_000, LIMITS) == 100


@pytest.mark.parametrize(("workers", "pause_s"), [(0, 10), (2, 10), (64, 2.8125)])
def test_the_pause_between_workers(workers: int, pause_s: float) -> None:
    assert worker_generations.worker_pause_s(workers) == pause_s


def test_what_a_change_that_waits_is_told() -> None:
    excess = worker_generations.find_excess(old(4), LIMITS)
    assert excess is not None
    held = worker_generations.hold(excess, LIMITS, now=NOON, waited_s=10)
    assert held.since == NOON - datetime.timedelta(seconds=10)
    assert str(held) == (
        "4 old generations with open connections and 40 MB of memory (old_workers allows 4 and 400 MB); "
        "unless one ends by itself, the oldest is drained from 12:00:50 UTC on, and the change is live by 12:04:50 UTC"
    )
    assert held.brief == "waits until old workers are within their budget, 12:04:50 UTC at the latest"
