"""A real application behind `php`: Debian's MediaWiki with SQLite. Only with DAEMUN_TEST_DEEP, as its installation
takes a minute (`make test-deep ARGS=tests/integration/test_php_mediawiki.py`)."""

import collections.abc
import os
import pathlib
import subprocess
import tempfile
import typing
import urllib.parse

import pytest

from daemun.core import model
from tests.support import binaries, php_fpm, rendered
from tests.support.sites import route, site, target

pytestmark = [pytest.mark.nginx, pytest.mark.walk]

PROGRAM = pathlib.Path("/var/lib/mediawiki")
PASSWORD = "a-long-password"
SETTINGS = """
$wgArticlePath = "/wiki/$1";
$wgUsePathInfo = true;
"""


@pytest.fixture(scope="module")
def wiki() -> collections.abc.Iterator[rendered.Running]:
    php = binaries.program("php", "mediawiki")
    if not PROGRAM.is_dir():
        pytest.skip("mediawiki is not installed (Debian packages mediawiki, php-sqlite3)")
    binaries.needs_root("PHP's own account for the database")
    with tempfile.TemporaryDirectory(prefix="daemun-test-") as name:
        folder = pathlib.Path(name)
        install = [php, f"{PROGRAM}/maintenance/install.php", "--dbtype=sqlite", f"--dbpath={folder}", "--dbname=wiki"]
        install += [f"--confpath={folder}", f"--pass={PASSWORD}", "--server=https://wiki.test", "--scriptpath="]
        done = subprocess.run([*install, "A wiki", "Admin"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        settings = folder / "LocalSettings.php"
        settings.write_text(settings.read_text() + SETTINGS)
        subprocess.run(["chown", "-R", "www-data:", str(folder)], check=True)
        with php_fpm.running(f"env[MW_CONFIG_FILE] = {settings}", options=()) as socket:
            folder_of_wiki = model.Php(folder=str(PROGRAM), no_code=("/images/",))
            fpm = target(f"fastcgi://unix:{socket}")
            with rendered.running(
                site("wiki.test", route("/", model.Proxy(targets=(fpm,), php=folder_of_wiki)))
            ) as gate:
                yield gate


if os.environ.get("DAEMUN_TEST_DEEP"):

    def test_reading(wiki: rendered.Running) -> None:
        for path in ("/wiki/Main_Page", "/index.php/Main_Page", "/index.php?title=Main_Page"):
            page = wiki.get(f"https://wiki.test{path}")
            assert page.status_code in {200, 301}, page
            assert page.status_code == 301 or "MediaWiki has been installed" in page.text
        assert wiki.get("https://wiki.test/").headers["Location"].endswith("/wiki/Main_Page")
        # A page that looks like a hidden file, and one that looks like a source.
        for title in (".NET", "Index.php", "Index.php~", "Config.inc"):
            answer = wiki.get(f"https://wiki.test/wiki/{title}")
            assert (answer.status_code, "currently no text in this page" in answer.text) == (404, True), title

    def test_files_and_sources(wiki: rendered.Running) -> None:
        picture = wiki.get("https://wiki.test/resources/assets/poweredby_mediawiki_88x31.png")
        assert picture.headers["Content-Type"] == "image/png"
        style = wiki.get("https://wiki.test/load.php?lang=en&modules=site.styles&only=styles&skin=vector")
        assert (style.status_code, style.headers["Content-Type"].partition(";")[0]) == (200, "text/css")
        for path in ("LocalSettings.php", "includes/Setup.php", "includes/WebStart.php", "autoload.php"):
            assert "<?php" not in wiki.get(f"https://wiki.test/{path}").text, path

    def test_writing(wiki: rendered.Running) -> None:
        cookies: dict[str, str] = {}

        def send(method: str, query: str = "", **form: str) -> dict[str, typing.Any]:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            headers |= {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
            body = urllib.parse.urlencode(form).encode()
            answer = wiki.ask(method, f"https://wiki.test/api.php?format=json{query}", body=body, headers=headers)
            pairs = (line.partition(";")[0].partition("=") for line in answer.headers.get_list("Set-Cookie"))
            cookies.update({name: value for name, _, value in pairs})
            found: dict[str, typing.Any] = answer.json()
            return found

        token = send("GET", "&action=query&meta=tokens&type=login")["query"]["tokens"]["logintoken"]
        signed_in = send("POST", action="login", lgname="Admin", lgpassword=PASSWORD, lgtoken=token)
        assert signed_in["login"]["result"] == "Success", signed_in
        edit = send("GET", "&action=query&meta=tokens")["query"]["tokens"]["csrftoken"]
        text = "A page. " * 20_000
        assert send("POST", action="edit", title="Mine", text=text, token=edit)["edit"]["result"] == "Success"
        assert "A page. A page." in wiki.get("https://wiki.test/wiki/Mine").text
