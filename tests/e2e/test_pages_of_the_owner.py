"""`errors` with a running daemon: a request that waited in vain gets the page of the owner, as it is now."""

import pytest

from tests.support import ports
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx


def test_a_request_that_waited_in_vain(daemon: Daemon) -> None:
    (daemon.root / "sorry.html").write_text("sorry")
    away = f"http://127.0.0.1:{ports.free_port()}"
    daemon.write(
        "errors: {5xx: ./sorry.html}\n"
        f"sites: {{app.test: {{/: {{to: '{away}', hold: 1s}}}}, other.test: {{/: {{redirect: 'https://app.test/'}}}}}}\n"
    )
    daemon.up("https://other.test/")
    answer = daemon.get("https://app.test/")
    assert answer.status_code in {502, 503}
    assert answer.text == "sorry"
    (daemon.root / "sorry.html").write_text("very sorry")
    assert daemon.get("https://app.test/").text == "very sorry"
