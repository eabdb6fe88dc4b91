"""Which problems of a machine were there before a change of the fleet's configuration, and which it brings."""

from daemun.core import model
from daemun.fleet import configuration_keeper


def sign(message: str) -> tuple[str | None, str]:
    return configuration_keeper.sign(model.Problem(origin=model.NOWHERE, message=message))


def test_another_file_is_another_problem() -> None:
    assert sign('cannot read "web1.pem"') != sign('cannot read "web2.pem"')


def test_a_problem_is_the_same_wherever_its_lines_are() -> None:
    assert sign("the same as in line 12") == sign("the same as in line 9")
