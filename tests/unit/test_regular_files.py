"""B3, N10: what stands in a file's place and is none is refused at once, by all that read files of others."""

import collections.abc
import os
import pathlib
import socket

import pytest

from daemun import errors, regular_files, secret
from daemun.certs.served import bundle, own_files
from daemun.core import model
from daemun.nginx import access_lines
from daemun.probing import error_log
from daemun.sources import yaml_edit, yaml_file
from daemun.store import file_store

URL = "http://127.0.0.1:8000"
SITE = f"sites: {{a.test: '{URL}'}}"


@pytest.fixture
def pipe(tmp_path: pathlib.Path) -> pathlib.Path:
    """Nothing writes into it, so that who opens it waits."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_only_regular_files_are_read(tmp_path: pathlib.Path, pipe: pathlib.Path) -> None:
    (tmp_path / "good").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("good")
    assert regular_files.read(tmp_path / "link", 3) == b"123"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        for path, words in ((pipe, "is a pipe"), (tmp_path / "s", "is a socket"), ("/dev/zero", "is a device")):
            with pytest.raises(OSError, match=words):
                regular_files.read(path)
            with pytest.raises(OSError, match=words):
                regular_files.check(path)
    with pytest.raises(IsADirectoryError):
        regular_files.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        regular_files.read(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "is_of_site"),
    [
        (f"sites: {{a.test: {{tls: {{certificate: pipe, key: pipe}}, routes: {{/: '{URL}'}}}}}}", True),
        ("sites: {a.test: {routes: {/: {to: 'https://localhost:8443', verify: pipe}}}}", True),
        (f"sites: {{a.test: {{routes: {{/: '{URL}'}}, nginx: 'ssl_client_certificate PIPE;'}}}}", True),
        (f"sites: {{a.test: {{routes: {{/: {{to: '{URL}', nginx: 'include PIPE;'}}}}}}}}", True),
        ("acme: {ca_file: pipe, directory: 'https://localhost/dir'}\n" + SITE, False),
        ("nginx: 'include PIPE;'\n" + SITE, False),
    ],
)
def test_a_pipe_in_the_place_of_a_named_file_is_a_problem(pipe: pathlib.Path, text: str, is_of_site: bool) -> None:
    file = pipe.parent / "daemun.yaml"
    file.write_text(text.replace("PIPE", str(pipe)))
    with pytest.raises(yaml_file.InvalidFileError, match="is a pipe") as caught:
        yaml_file.read_snapshot(file)
    assert {one.host for one in caught.value.problems} == {"a.test" if is_of_site else None}


@pytest.mark.parametrize(
    "read",
    [
        yaml_file.read_snapshot,
        lambda pipe: yaml_edit.add_route(pipe, "b.test", URL),
        lambda pipe: secret.read(model.Secret(file=str(pipe))),
        lambda pipe: file_store.FileStore(pipe.parent).read("pipe"),
        lambda pipe: own_files.read(
            model.CertificateSpec(
                name="a.test",
                host="a.test",
                names=("a.test",),
                mode=model.TlsMode.FILES,
                certificate=str(pipe),
                key=str(pipe),
            )
        ),
    ],
    ids=["daemun.yaml", "edit", "secret", "store", "certificate"],
)
def test_who_reads_a_pipe_is_refused(
    pipe: pathlib.Path, read: collections.abc.Callable[[pathlib.Path], object]
) -> None:
    with pytest.raises((errors.DaemunError, bundle.BundleError), match="is a pipe"):
        read(pipe)


def test_a_pipe_in_the_place_of_a_log_has_no_lines(pipe: pathlib.Path) -> None:
    assert list(access_lines.Follower(pipe, at_end=False).read()) == []
    assert error_log.ErrorLog(str(pipe)).read().lines == []
