"""What the documents show works: every example of a daemun.yaml passes `daemun check`."""

import pathlib
import re

import pytest

from daemun.store import fleet_key
from tests.support import client_authority
from tests.support.daemon import Daemon

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = ("README.md", "README.ko.md", "docs/CONFIGURATION.md")

BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name in DOCUMENTS
    for number, block in enumerate(
        re.findall(r"^```yaml\n(.*?)^```", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL)
    )
]
EXAMPLES = [pytest.param(path.read_text(), id=path.name) for path in sorted((ROOT / "examples").glob("*.yaml"))]


@pytest.mark.nginx
@pytest.mark.parametrize("text", [*BLOCKS, *EXAMPLES])
def test_example_passes_check(daemon: Daemon, text: str) -> None:
    (daemon.root / "public").mkdir()  # which an example names, as others do with the next
    (daemon.root / "htpasswd").write_text("alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    secrets = {"crowdsec.key": "secret", "google.secret": "secret", "fleet.key": fleet_key.encode(fleet_key.make())}
    for name, secret in {**secrets, "database.url": "postgresql://daemun:secret@db.lan/daemun"}.items():
        (daemon.root / name).write_text(f"{secret}\n")
        (daemon.root / name).chmod(0o600)
    (daemon.root / "sites").mkdir()
    (daemon.root / "sites" / "shop.yaml").write_text("sites: {shop.example.com: http://127.0.0.1:8000}\n")
    daemon.write_raw(text)
    if "client_certificates" in text:
        daemon.cli_good("clients", "add", "alice")
        authority = client_authority.ClientAuthority(daemon.root / "clients")
        authority.file.rename(daemon.root / "clients.pem")
        authority.revoked.rename(daemon.root / "clients.crl")
    said = daemon.cli_good("check")
    assert "warning" not in said


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "README.ko.md",
        "CONTRIBUTING.md",
        "docs/ARCHITECTURE.md",
        "docs/DESIGN.md",
        "docs/GLOSSARY.md",
        "docs/recipes.md",
    ],
)
def test_links_lead_to_files(name: str) -> None:
    document = ROOT / name
    for link in re.findall(r"\]\((?!https?://)([^)#]+)\)", document.read_text()):
        assert (document.parent / link).exists(), link
