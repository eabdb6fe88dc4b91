"""`access.countries` in a running gate: the database changes, is damaged, and is there again."""

import pathlib

import pytest

from tests.support import address_databases, backend, clients
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx


def _status(daemon: Daemon, address: str) -> int:
    return clients.get(daemon.gate, "https://a.test/", X_Forwarded_For=address).status_code


def _wait(daemon: Daemon, address: str, status: int) -> None:
    daemon.wait(lambda: _status(daemon, address) == status, f"{status} for {address}")
    daemon.wait_settled()  # from then on by every worker


def test_a_database_that_changes(daemon: Daemon, tmp_path: pathlib.Path) -> None:
    database = tmp_path / "country.mmdb"
    address_databases.write(database, {"203.0.113.0/24": "KR", "198.51.100.0/24": "DE"})
    with backend.running() as server:
        daemon.write(
            "trusted_proxies: [127.0.0.1]\nsites:\n  a.test:\n"
            f"    access: {{countries: {{database: {database}, allow: [KR]}}}}\n"
            f"    routes: {{/: 'http://127.0.0.1:{server.port}'}}\n"
        )
        daemon.up("https://a.test/")
        _wait(daemon, "203.0.113.7", 200)
        assert _status(daemon, "198.51.100.7") == 403
        address_databases.write(database, {"203.0.113.0/24": "DE", "198.51.100.0/24": "KR"})
        _wait(daemon, "198.51.100.7", 200)
        assert _status(daemon, "203.0.113.7") == 403

        # Damaged, and gone: what was read last goes on, and it is reported.
        before = len(daemon.log_text())
        database.write_bytes(b"damaged")
        daemon.wait_log("is no whole database", since=before)
        assert (_status(daemon, "198.51.100.7"), _status(daemon, "203.0.113.7")) == (200, 403)
        database.unlink()
        daemon.wait_log("no such file", since=before)
        assert (_status(daemon, "198.51.100.7"), _status(daemon, "203.0.113.7")) == (200, 403)

        # Without a database nobody comes in after a start either.
        daemon.terminate()
        daemon.up("https://a.test/")
        for address in ("198.51.100.7", "203.0.113.7", "8.8.8.8"):
            assert _status(daemon, address) == 403
        address_databases.write(database, {"203.0.113.0/24": "KR"})
        _wait(daemon, "203.0.113.7", 200)
        assert _status(daemon, "198.51.100.7") == 403
