"""Each option says everything about itself: what it is by default, and which files it names."""

import collections.abc
import dataclasses
import pathlib
import typing

import pydantic
import pytest

from daemun.core import model, render_environment
from daemun.core.layout import Layout
from daemun.core.options import catalogue, forms, option
from daemun.core.render import render_tree
from daemun.errors import RenderError
from daemun.sources import yaml_file

HOLDERS = {option.Level.GATE: model.Globals, option.Level.SITE: model.Site}
FIELDS = [one for one in catalogue.EVERY if one.model_field is not None]


@pytest.mark.parametrize("one", FIELDS, ids=lambda one: one.name)
def test_a_field_of_the_model_has_the_default_of_its_option(one: option.Option[typing.Any]) -> None:
    for level in one.levels:
        defaults = {field.name: field.default for field in dataclasses.fields(HOLDERS[level])}
        assert defaults[one.model_field or ""] == one.default


def _reads_paths(form: object) -> bool:
    if isinstance(form, type) and issubclass(form, forms.OptionMap):
        return any(map(_reads_paths, forms.keys(form).values()))
    parts = typing.get_args(form)
    return any(isinstance(part, pydantic.AfterValidator) and part.func is forms.absolute for part in parts) or any(
        map(_reads_paths, parts)
    )


def test_an_option_that_reads_paths_declares_its_files() -> None:
    reading = [one for one in catalogue.EVERY if _reads_paths(one.form)]
    assert {one.name for one in reading} == {
        "access",
        "acme",
        "docker",
        "errors",
        "fleet",
        "login",
        "maintenance",
        "tls",
        "tracing",
    }, "what the test looks at"
    assert [one.name for one in reading if one.files is None] == []


TOP = "sites: {a.test: http://127.0.0.1:1}\n"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (f"acme: {{ca_file: gone.pem}}\n{TOP}", "acme.ca_file"),
        (
            f"acme: {{directory: [letsencrypt, {{directory: 'https://ca.test/', ca_file: gone.pem}}]}}\n{TOP}",
            "acme.ca_file",
        ),
        (f"tracing: {{endpoint: 'https://a.test', ca_file: gone.pem}}\n{TOP}", "tracing.ca_file"),
        (f"streams: {{a: {{listen: 1, to: 'tls://b:2', verify: gone.pem}}}}\n{TOP}", "streams.a.verify"),
        (f"docker: {{endpoint: 'tcp://a:1', tls: {{ca: here, cert: here, key: gone.pem}}}}\n{TOP}", "docker.tls.key"),
        (
            "sites: {a.test: {tls: {certificate: here, key: gone.pem}, routes: {/: 'http://127.0.0.1:1'}}}",
            'site "a.test", tls.key',
        ),
        (
            "sites: {a.test: {tls: {directory: {directory: 'https://ca.test/', ca_file: gone.pem}}, "
            "routes: {/: 'http://127.0.0.1:1'}}}",
            'site "a.test", tls.directory.ca_file',
        ),
        (
            "sites: {a.test: {errors: {404: gone.pem}, routes: {/: 'http://127.0.0.1:1'}}}",
            'site "a.test", errors.404',
        ),
        (
            "sites: {a.test: {/: {to: 'https://b.test', verify: gone.pem}}}",
            'site "a.test", route "/", verify',
        ),
    ],
)
def test_a_file_that_is_not_there_is_an_error_where_it_is_named(
    tmp_path: pathlib.Path, content: str, field: str
) -> None:
    (tmp_path / "here").touch()
    (tmp_path / "daemun.yaml").write_text(content)
    with pytest.raises(yaml_file.InvalidFileError) as refused:
        yaml_file.read_snapshot(tmp_path / "daemun.yaml")
    (problem,) = [one for one in refused.value.problems if one.severity is model.Severity.ERROR]
    assert problem.message.startswith(f"{field}: cannot read {tmp_path}/gone.pem: ")
    assert problem.origin.place.startswith("daemun.yaml:1:")


def _published(folder: pathlib.Path, more: str, site: str = "") -> collections.abc.Iterator[str]:
    (folder / "public").mkdir()
    for name in ("ca", "cert", "key"):
        (folder / "public" / name).touch()
    path = folder / "daemun.yaml"
    path.write_text(f"{more}\nsites: {{a.test: {{{site} routes: {{/: {{files: public}}}}}}}}\n")
    with pytest.raises(yaml_file.InvalidFileError) as refused:
        yaml_file.read_snapshot(path)
    yield from (one.message for one in refused.value.problems if one.severity is model.Severity.ERROR)


@pytest.mark.parametrize(
    ("more", "site", "what"),
    [
        ("alerts: {ntfy: {url: 'https://ntfy.sh/x', token: {file: public/key}}}", "", "the secret"),
        ("acme: {dns: {provider: rfc2136, server: a, key_name: b, key_secret: {file: public/key}}}", "", "the secret"),
        (
            "docker: {endpoint: 'tcp://a:1', tls: {ca: public/ca, cert: public/cert, key: public/key}}",
            "",
            "the private key",
        ),
        ("", "tls: {certificate: public/cert, key: public/key},", "the private key"),
        (
            "",
            "tls: {dns: {provider: rfc2136, server: a, key_name: b, key_secret: {file: public/key}}},",
            "the secret",
        ),
    ],
)
def test_what_options_keep_secret_is_never_published(tmp_path: pathlib.Path, more: str, site: str, what: str) -> None:
    (message,) = _published(tmp_path, more, site)
    assert f"holds {what} {tmp_path}/public/key; name a folder apart from it" in message


ENVIRONMENT = render_environment.Environment(
    layout=Layout(state="/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 27, 4), features=frozenset(render_environment.Feature)
    ),
)


@pytest.mark.parametrize(
    "settings",
    [
        model.Globals(listen=model.Listen(http=(model.Address(port=0),))),
        model.Globals(default=model.Default(status=1)),
        model.Globals(options=catalogue.values_of({"trusted_proxies": ("nowhere",)})),
        model.Globals(options=catalogue.values_of({"proxy_headers": ("a b",)})),
    ],
)
def test_the_renderer_refuses_a_gate_that_the_rules_refuse(settings: model.Globals) -> None:
    with pytest.raises(RenderError, match=r"^cannot render "):
        render_tree.render_files(model.Desired(globals=settings), ENVIRONMENT)
