"""Which status an error has as an answer of the API."""

import typing

import pytest

from daemun import errors
from daemun.certs.acme import order_error
from daemun.cli import control_client
from daemun.control import applied_port, draft_port, operator_port, site_port
from daemun.sources import yaml_file
from daemun.web import error_answers


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ConfigError("x"), 422),
        (errors.ApplyError("x", stage="test", restored=True), 422),
        (errors.RenderError("x"), 422),
        (draft_port.DraftFaultError("x"), 422),
        (errors.NotFoundError("x"), 404),
        (applied_port.UnknownEntryError("x"), 404),
        (errors.NotFoundInStoreError("x"), 404),
        (errors.ForbiddenError("x"), 403),
        (site_port.ForeignUrlError("x"), 403),
        (errors.ConflictError("x"), 409),
        (draft_port.DraftConflictError("x", ()), 409),
        (draft_port.StaleDraftError("x"), 409),
        (errors.LockHeldError("x"), 409),
        (errors.DaemunError("x"), 409),
        (errors.TooManyAtOnceError("x"), 429),
        (operator_port.TooManyGuessesError(3), 429),
        (errors.EnvironmentProblemError("x"), 503),
        (control_client.NotRunningError("x"), 503),
        (errors.RetryableError("x"), 503),
        (OSError("x"), 500),
        (KeyError("x"), 500),
    ],
)
def test_the_kind_of_an_error_decides(error: Exception, status: int) -> None:
    assert error_answers.status_of(error) == status
    assert status in error_answers.MEANINGS


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (errors.RetryableError("x", retry_after_s=0.2), {"Retry-After": "1"}),
        (errors.RetryableError("x", retry_after_s=61.5), {"Retry-After": "62"}),
        (errors.RetryableError("x"), {}),
        (errors.TooManyAtOnceError("x", retry_after_s=9), {"Retry-After": "9"}),
        (operator_port.TooManyGuessesError(3), {"Retry-After": "3"}),
        (errors.ConfigError("x"), {}),
    ],
)
def test_when_to_come_again(error: Exception, headers: dict[str, str]) -> None:
    assert error_answers.headers_of(error) == headers


def test_every_kind_has_a_documented_status() -> None:
    """Of all modules that are imported here."""
    assert {order_error.OrderError, yaml_file.InvalidFileError} <= set(_kinds(errors.DaemunError))
    for kind in _kinds(errors.DaemunError):
        error = kind.__new__(kind)
        assert error_answers.status_of(error) in error_answers.MEANINGS.keys() - {500}, kind


def _kinds(kind: type[errors.DaemunError]) -> typing.Iterator[type[errors.DaemunError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _kinds(one)
