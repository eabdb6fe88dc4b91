"""For all tests: Hypothesis profiles, and no silent skips where $DAEMUN_REQUIRE_ALL is set (CI sets it)."""

import collections.abc
import os
import signal

import hypothesis
import pytest

from daemun.cli import caller, json_answer, output
from tests.support.docker_engine import docker_engine, docker_engine_of_the_session  # noqa: F401 fixtures for all
from tests.support.docker_image import daemun_image  # noqa: F401
from tests.support.podman_engine import podman_engine, podman_engine_of_the_session  # noqa: F401
from tests.support.postgresql import postgresql_server  # noqa: F401

# No deadline, nothing about slowness: how long an example takes says more about the machine than about the code. And
# hostile text is mostly refused, as it is meant to be: that is no reason to fail on an unlucky seed.
UNHURRIED = hypothesis.settings(
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
)
hypothesis.settings.register_profile("fast", UNHURRIED)
hypothesis.settings.register_profile("deep", UNHURRIED, max_examples=5000)
hypothesis.settings.load_profile("fast")  # `pytest --hypothesis-profile deep` wins


@pytest.fixture(autouse=True)
def _signals_stay() -> collections.abc.Iterator[None]:
    """The end of a command line blocks a signal, which only a process that ends may do: what tests start after that
    would inherit it, and each command would begin with a new interpreter (`forked.is_as_at_first`)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture(autouse=True, scope="session")
def _folders_are_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where a session makes its first folder, pytest closes the folder of all sessions to other accounts: at once, and
    not later, while nginx of another session that runs beside it reads files there."""
    tmp_path_factory.getbasetemp()


@pytest.fixture(autouse=True)
def _no_command_line_is_left() -> collections.abc.Iterator[None]:
    """A command that a test runs in its own process names its gate, itself and its form of answer for the whole
    process, as a real one may: the next test's texts would have that gate's options."""
    yield
    output.name_gate("")
    caller.name("daemun")
    json_answer.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> collections.abc.Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("DAEMUN_REQUIRE_ALL") and _lacks_a_program(report):
        report.outcome = "failed"
        report.longrepr = f"{report.longreprtext}\nDAEMUN_REQUIRE_ALL is set, so a test that lacks a program fails."
    return report


def _lacks_a_program(report: pytest.TestReport) -> bool:
    """Whether a test was skipped because `tests.support.binaries` found no nginx, Pebble, other program or root.

    Skips for other reasons stay: a container may forbid to mount, and tells no less by doing so.
    """
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return False
    raised_in, _, _ = report.longrepr
    return raised_in.endswith("tests/support/binaries.py")
