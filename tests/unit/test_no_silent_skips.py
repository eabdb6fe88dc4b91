"""A test that lacks its program is skipped on a developer's machine, and fails in CI."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("test", "required", "exit_code"),
    [
        ("def test_it(): binaries.program('no-such-program', 'none')", True, 1),
        ("def test_it(): binaries.program('no-such-program', 'none')", False, 0),
        ("def test_it(): pytest.skip('not allowed here')", True, 0),
        ("@pytest.mark.xfail\ndef test_it(): assert False", True, 0),
    ],
)
def test_skip_for_a_missing_program(tmp_path: pathlib.Path, test: str, required: bool, exit_code: int) -> None:
    (tmp_path / "test_example.py").write_text(f"import pytest\nfrom tests.support import binaries\n{test}\n")
    (tmp_path / "conftest.py").symlink_to(ROOT / "tests/conftest.py")
    environment = {**os.environ, "DAEMUN_REQUIRE_ALL": "1" if required else "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", "-p", "no:cacheprovider", tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
