"""`errors`: what may be written, and what is refused, with its place."""

import pathlib

import pytest

from daemun.core import model
from daemun.core.options import catalogue, errors_option
from daemun.core.options.page_file import PageFile
from daemun.sources import set_aside, yaml_file

SITE = "sites: {{a.test: {{errors: {errors}, routes: {{/: 'http://127.0.0.1:1'}}}}}}\n"


def problems(path: pathlib.Path, text: str) -> tuple[model.Problem, ...]:
    path.write_text(text)
    try:
        return yaml_file.read_snapshot(path).problems
    except yaml_file.InvalidFileError as error:
        return error.problems


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "a.html").write_text("a")
    return tmp_path / "daemun.yaml"


def test_a_status_counts_before_its_class(file: pathlib.Path) -> None:
    file.write_text(SITE.format(errors="{404: a.html, 4xx: ./b/../c.html}"))
    (file.parent / "c.html").touch()
    (site,) = yaml_file.read_snapshot(file).sites
    found = {status: page.path for status, page in errors_option.OPTION.of(site).by_status().items()}
    assert found.pop("404") == f"{file.parent}/a.html"
    assert found == dict.fromkeys(("403", "405", "413", "429"), f"{file.parent}/c.html")


@pytest.mark.parametrize(
    ("errors", "words", "place"),
    [
        ("{404: gone.html}", "cannot read {folder}/gone.html: no such file", "1:32"),
        ("{404: gone.html}", "correct the path", "1:32"),
        ("{5XX: a.html}", "write 5xx", "1:32"),
        ("{418: a.html}", "is no status that the gate itself answers with", "1:32"),
        ("{401: a.html}", "which `access` gives", "1:32"),
        ("{404: .}", "is a directory", "1:32"),
        ("{404: daemun.yaml}", "is {folder}/daemun.yaml, the configuration that is in use; name another file", "1:18"),
        ("a.html", "expected a map", "1:26"),
        ("{404: [a.html]}", "expected text, found a list", "1:27"),
    ],
)
def test_what_is_refused(file: pathlib.Path, errors: str, words: str, place: str) -> None:
    every = problems(file, SITE.format(errors=errors))
    (found,) = [one for one in every if words.format(folder=file.parent) in one.message]
    assert found.origin.place == f"daemun.yaml:{place}"
    assert found.severity is model.Severity.ERROR


def test_a_private_key_is_never_shown(file: pathlib.Path) -> None:
    text = (
        "errors: {404: key.pem}\n"
        "sites: {a.test: {tls: {certificate: a.html, key: key.pem}, routes: {/: 'http://127.0.0.1:1'}}}\n"
    )
    (file.parent / "key.pem").touch()
    (found,) = [one for one in problems(file, text) if "errors" in one.message]
    assert "the private key" in found.message


def test_a_site_is_served_without_its_page(file: pathlib.Path) -> None:
    file.write_text(SITE.format(errors="{404: gone.html}"))
    with pytest.raises(yaml_file.InvalidFileError) as refused:
        yaml_file.read_snapshot(file)
    served = set_aside.set_aside(refused.value, set_aside.LastGoodEntries(), is_start=True)
    (site,) = served.sites
    assert (site.fault, dict(site.options)["errors"].pages) == (  # type: ignore[attr-defined]
        None,
        (("404", PageFile(path=f"{file.parent}/gone.html", trusted=site_trust(served))),),
    )


def site_trust(snapshot: model.Snapshot) -> str | None:
    """What of the folder is trusted depends on where the test runs."""
    ((page, _),) = catalogue.find_pages(snapshot)
    return page.trusted


@pytest.mark.parametrize(
    ("errors", "meant"),
    [
        ("{404: a.html, servers: true}", ({"404"}, True)),
        ("{401: a.html, 451: a.html, servers: true}", ({"401", "451"}, True)),
        ("{servers: false}", (set(), False)),
        ("{404: a.html}", ({"404"}, None)),
    ],
)
def test_pages_for_servers(file: pathlib.Path, errors: str, meant: tuple[set[str], bool | None]) -> None:
    file.write_text(SITE.format(errors=errors))
    (site,) = yaml_file.read_snapshot(file).sites
    found = errors_option.OPTION.of(site)
    assert (set(found.by_status()), found.servers) == meant


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ("{410: a.html}", "for that of a server add `servers: true`"),
        ("{401: a.html}", "for the one of a server add `servers: true`"),
        ("{404: a.html, from: a.html}", "write `servers: true`"),
        ("{404: a.html, servers: on}", "servers: expected true or false"),
        ("{404: true}", "404: expected a file, found true"),
        ("{499: a.html, servers: true}", "is no status that the gate itself answers with"),
    ],
)
def test_words_about_pages_for_servers(file: pathlib.Path, errors: str, words: str) -> None:
    every = problems(file, SITE.format(errors=errors))
    assert [one for one in every if words in one.message], every


def test_a_route_with_nginx_of_its_own_says_it_there(file: pathlib.Path) -> None:
    text = (
        "sites: {a.test: {errors: {404: a.html, servers: true}, routes: {/: {to: 'http://127.0.0.1:1',"
        " errors: {servers: true}, nginx: 'proxy_pass_header X-A;'}}}}\n"
    )
    (found,) = problems(file, text)
    assert "`proxy_intercept_errors on` does it" in found.message
