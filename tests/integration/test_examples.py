"""What stands in the folder of examples is read as whoever copies it would have it read."""

import pathlib

import pytest

from daemun import settings
from daemun.wiring.offline import configuration

ROOT = pathlib.Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path for path in ROOT.rglob("*.yaml") if "\nsites:" in path.read_text())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_example_has_a_problem_or_a_warning(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """With its applications: a folder `apps` beside a file is read as those."""
    assert configuration.read(settings.Settings(config=path, state=tmp_path)).problems == ()
