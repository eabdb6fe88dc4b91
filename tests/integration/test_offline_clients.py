"""To which site a link with a client's certificate leads, as the command finds it in the file."""

import collections.abc
import datetime
import pathlib

import pytest

from daemun import settings
from daemun.certs.served import client_ca
from daemun.control import lease as lease_
from daemun.control import stored_values
from daemun.core import layout
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.store import memory_store
from daemun.wiring.offline import offline_clients

LOCAL = "routes: {/: 'http://127.0.0.1:9'}, tls: local, access: {client_certificates: local}"
CLOSED = "maintenance: {until: 2999-01-01T00:00Z, allow: private}"
OVER = "maintenance: {until: 2001-01-01T00:00Z}"


def find(folder: pathlib.Path, sites: str, host: str | None = None) -> str:
    (folder / "daemun.yaml").write_text(f"sites: {{{sites}}}\n")
    return offline_clients.find_page(settings.Settings(config=folder / "daemun.yaml", state=folder / "state"), host)


@pytest.mark.parametrize(
    ("sites", "host", "found"),
    [
        (f"a.test: {{{LOCAL}}}, b.test: {{{LOCAL}}}", None, "a.test"),
        (f"a.test: {{{LOCAL}}}, b.test: {{{LOCAL}}}", "B.test.", "b.test"),
        (f"a.test: {{{LOCAL}, aliases: b.test}}", "b.test", "b.test"),
        (f"a.test: {{{LOCAL}, maintenance: true}}, b.test: {{{LOCAL}}}", None, "b.test"),
        (f"a.test: {{{LOCAL}, {OVER}}}", None, "a.test"),
    ],
)
def test_where_it_leads(tmp_path: pathlib.Path, sites: str, host: str | None, found: str) -> None:
    assert find(tmp_path, sites, host) == f"https://{found}/.daemun/client"


@pytest.mark.parametrize(
    ("sites", "host", "cause"),
    [
        (
            f"a.test: {{{LOCAL}, aliases: b.test, redirect_aliases: true}}",
            "b.test",
            'on "b.test": it is an alias that leads to a.test; there are: a.test',
        ),
        (f"a.test: {{{LOCAL}, maintenance: true}}", None, "`daemun maintenance a.test off`"),
        (f"a.test: {{{LOCAL}, {CLOSED}, aliases: b.test}}", "b.test", "`daemun maintenance a.test off`"),
        (f"a.test: {{{LOCAL}, maintenance: true}}, b.test: {{{LOCAL}}}", "a.test", "off`), or --host b.test, or leave"),
        (f"a.test: {{{LOCAL}}}", "c.test", "no site of"),
    ],
)
def test_where_none_can_lead(tmp_path: pathlib.Path, sites: str, host: str | None, cause: str) -> None:
    with pytest.raises(ConfigError) as raised:
        find(tmp_path, sites, host)
    assert cause in str(raised.value)


class _FullStore(memory_store.MemoryStore):
    """Writes nothing from `is_full` on."""

    is_full = False

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: lease_.Lease | None = None
    ) -> None:
        if self.is_full:
            raise EnvironmentProblemError("cannot write: no space left on device")
        super().commit(changes, lease=lease)

    def write_all(
        self, values: collections.abc.Mapping[str, bytes]
    ) -> collections.abc.Mapping[str, EnvironmentProblemError]:
        if self.is_full:
            return dict.fromkeys(values, EnvironmentProblemError("cannot write: no space left on device"))
        return super().write_all(values)


def test_who_could_not_be_withdrawn_is_not_reported_as_withdrawn(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path))
    for file in (paths.clients_certificate, paths.clients_revoked):
        pathlib.Path(file).parent.mkdir(parents=True, exist_ok=True)
    store, now = _FullStore(), datetime.datetime.now(datetime.UTC)
    clients = client_ca.ClientCa(store, paths)
    clients.add("phone", days=30, now=now)
    store.is_full = True
    with pytest.raises(EnvironmentProblemError, match="no space left"):
        clients.revoke("phone", now)
    store.is_full = False
    assert [one.name for one in clients.revoke("phone", now)] == ["phone"]
