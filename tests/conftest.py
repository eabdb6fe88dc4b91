"""For all tests: Hypothesis profiles, and no silent skips where $DAEMUN_REQUIRE_ALL is set (CI sets it)."""

import collections.abc
import os

import hypothesis
import pytest

REAL_PARTS = frozenset({"nginx", "pebble", "browser"})
"""Markers of tests that need a program which a developer's machine may lack."""

# No deadline: how long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("fast", deadline=None)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=5000)
hypothesis.settings.load_profile("fast")  # `pytest --hypothesis-profile deep` wins


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> collections.abc.Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if (
        os.environ.get("DAEMUN_REQUIRE_ALL")
        and report.skipped
        and not hasattr(report, "wasxfail")
        and _is_real(item, report)
    ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"{reason}\nDAEMUN_REQUIRE_ALL is set, so a test that lacks a program fails."
    return report


def _is_real(item: pytest.Item, report: pytest.TestReport) -> bool:
    """Whether a test was to meet a real program: by its marker, or by asking `tests.support.binaries` for one."""
    asked = isinstance(report.longrepr, tuple) and report.longrepr[0].endswith("tests/support/binaries.py")
    return asked or any(mark.name in REAL_PARTS for mark in item.iter_markers())
