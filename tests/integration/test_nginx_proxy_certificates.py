"""LETSENCRYPT_HOST and LETSENCRYPT_EMAIL, from a container's variables to a certificate of Pebble."""

import pathlib

import pytest

from daemun.certs import certificate_manager
from daemun.certs.acme import acme_accounts
from daemun.certs.served import live_folder
from daemun.core import layout, model
from daemun.core.rounds import merge
from daemun.sources.docker import nginx_proxy, nginx_proxy_gate
from daemun.sources.docker import nginx_proxy_sites as sites
from daemun.store import file_store
from tests.support import certificates, clock, http01, pebble
from tests.support import docker_values as values

pytestmark = pytest.mark.pebble

HOSTS = "a.example.com,www.a.example.com"


async def test_the_hosts_of_a_list_share_one_certificate_and_an_account(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path / "state"))
    store = file_store.FileStore(pathlib.Path(paths.store))
    container = values.container(
        environment={"VIRTUAL_HOST": HOSTS, "LETSENCRYPT_HOST": HOSTS, "LETSENCRYPT_EMAIL": "own@example.com"}
    )
    compat = sites.Compat(is_on=True, gate=nginx_proxy_gate.read_gate({}))
    desired = merge.merge_snapshots([values.snapshot(container, dialect=nginx_proxy.make_dialect(compat))])
    (spec,) = merge.certificate_specs(desired)
    thumbprint = acme_accounts.thumbprint(acme_accounts.load_or_create_key(store))
    with http01.answering(thumbprint) as port, pebble.running_pebble(port) as ca:
        certs = certificate_manager.Manager(store, paths, clock.FakeClock())
        certs.configure(model.Acme(authorities=(model.Authority(directory=ca.directory, ca_file=str(ca.ca_file)),)))
        assert await certs.prepare([spec]) == ()
        async with certificates.running(certs) as watched:
            await watched.until_state(spec.host, model.CertificateState.VALID)

        found = live_folder.read(pathlib.Path(paths.live), spec.name)
        assert found is not None
        assert found.missing(HOSTS.split(",")) == ()
        registration = acme_accounts.read_registration(store, ca.directory)
        assert registration is not None
        assert registration.email == "own@example.com"
        assert certs.renew("www.a.example.com")
