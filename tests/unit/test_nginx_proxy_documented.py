"""The migration guide names every word of nginx-proxy that daemun knows, and the example is one of compose."""

import pathlib

from ruamel import yaml

from daemun.core import model
from daemun.sources.docker import nginx_proxy, nginx_proxy_folders, nginx_proxy_gate, nginx_proxy_reader
from daemun.sources.docker import nginx_proxy_sites as sites
from tests.support import docker_values as values
from tests.support import nginx_proxy as theirs

ROOT = pathlib.Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "nginx-proxy.md").read_text()


def test_every_word_is_in_the_guide() -> None:
    known = {*nginx_proxy.HOST_VARIABLES, *nginx_proxy.WITHOUT_EFFECT, *nginx_proxy.HOST_LABELS}
    known |= {*nginx_proxy_gate.WITHOUT_EFFECT, *nginx_proxy_folders.FOLDERS, *nginx_proxy_reader.NOT_USED}
    known |= {name for kind in ("gate", "container", "label") for name in theirs.names_of(kind)}
    # One of the older names stands for all.
    known -= {
        name for name in known if name.startswith("LETSENCRYPT_") and name.replace("LETSENCRYPT", "ACME") in known
    }

    assert sorted(name for name in known if name not in GUIDE) == []


def test_the_example_asks_for_what_it_says() -> None:
    text = (ROOT / "examples" / "nginx-proxy-migration" / "compose.yaml").read_text()
    services = yaml.YAML(typ="safe").load(text)["services"]
    gate = nginx_proxy_gate.read_gate(services.pop("nginx-proxy")["environment"])
    assert gate.notes == ()
    compat = sites.Compat(is_on=True, gate=gate)
    found = values.snapshot(
        *(values.container(name, environment=service["environment"]) for name, service in services.items()),
        dialect=nginx_proxy.make_dialect(compat),
    )

    (site,) = found.sites
    assert [route.path for route in site.routes] == ["/", "/websocket/"]
    assert (site.tls.mode, site.http) == (model.TlsMode.AUTO, model.HttpMode.REDIRECT)
    assert found.problems == ()
