"""Variables of the environment in daemun.yaml: what a visitor receives."""

import pytest

from daemun.sources import yaml_file
from tests.support import echo, rendered

pytestmark = pytest.mark.nginx


def test_a_site_of_variables(one: echo.EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(one.port))
    trick = 'a"; } return 200 "b; # {x: y}\\'
    monkeypatch.setenv("TRICK", trick)
    snapshot = yaml_file.parse(
        """\
sites:
  a.test:
    response_headers: {X-Said: "${TRICK}"}
    routes:
      /: http://${GONE:-127.0.0.1}:${PORT}
""",
        file_name="daemun.yaml",
        base_dir="/etc/daemun",
    )
    assert not snapshot.problems
    with rendered.running(*snapshot.sites) as gate:
        assert gate.said("https://a.test/").path == "/"
        assert gate.get("https://a.test/").headers["X-Said"] == trick
