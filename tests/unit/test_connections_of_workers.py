"""How many connections a worker may have, of the files that it may open."""

import pytest

from daemun.core import render_environment


@pytest.mark.parametrize(
    ("open_files", "connections"),
    [(700, 525), (1024, 768), (2048, 1536), (4096, 2048), (20_000, 10_000), (32_768, 16_384), (65_536, 16_384)],
)
def test_half_of_the_files_are_for_connections_and_more_of_few(open_files: int, connections: int) -> None:
    assert render_environment.count_connections(open_files) == connections
