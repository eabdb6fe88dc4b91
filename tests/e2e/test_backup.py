"""L2: with what README.md calls a backup, an empty machine serves the same sites, from the same authority."""

import shutil
import subprocess

import pytest
from cryptography import x509

from tests.support import clients
from tests.support.daemon import Daemon, signpost


@pytest.mark.nginx
def test_the_store_and_the_file_are_all_that_is_needed(daemon: Daemon) -> None:
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    root = (daemon.state / "ca.pem").read_bytes()
    backup = daemon.root / "backup.tar.gz"
    command = ["tar", "-C", str(daemon.root), "-czf", str(backup), "daemun.yaml", "s/store"]
    subprocess.run(command, check=True)  # while it runs
    daemon.cli_good("stop")
    daemon.wait_exit()
    shutil.rmtree(daemon.state)
    daemon.config.unlink()
    subprocess.run(["tar", "-C", str(daemon.root), "-xzf", str(backup)], check=True)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert (daemon.state / "ca.pem").read_bytes() == root
    handshake = clients.handshake(daemon.gate, "a.test")
    assert handshake.certificate is not None
    handshake.certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(root))
