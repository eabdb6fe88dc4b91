"""How secrets are written in daemun.yaml: as a text, or where they are."""

import pydantic
import pytest

from daemun.core import model
from daemun.core.options import alerts_option, forms
from daemun.sources import yaml_file

FORM: pydantic.TypeAdapter[model.Secret] = pydantic.TypeAdapter(forms.Secret)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hunter2", model.Secret(text="hunter2")),
        (12345, model.Secret(text="12345")),
        ("file:/run/secrets/x", model.Secret(file="/run/secrets/x")),
        ("file: ./x y", model.Secret(file="/etc/daemun/x y")),
        ({"file": "x"}, model.Secret(file="/etc/daemun/x")),
        ("env:NAME", model.Secret(variable="NAME")),
        ({"env": "NAME"}, model.Secret(variable="NAME")),
        ("file::/etc/provider", model.Secret(text="file::/etc/provider")),
        ("env:a b", model.Secret(text="env:a b")),
        ("afile:/x", model.Secret(text="afile:/x")),
        ("file:/x\nfile:/y", model.Secret(text="file:/x\nfile:/y")),
    ],
)
def test_forms(written: object, meant: model.Secret) -> None:
    assert FORM.validate_python(written, context={"folder": "/etc/daemun"}) == meant


@pytest.mark.parametrize("written", ["", "file:", "file: ", True, None, ["hunter2"], {"fil": "hunter2"}])
def test_what_is_none_is_not_shown(written: object) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        FORM.validate_python(written, context={"folder": "/etc/daemun"})
    (error,) = refused.value.errors(include_url=False)
    assert error["msg"] == "Value error, expected text, or where it is: {env: NAME} or {file: PATH}"


def test_in_a_file() -> None:
    text = "alerts: {ntfy: {url: 'https://ntfy.sh/x', token: 'file:./token'}}\nsites: {}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    assert snapshot.globals is not None
    (ntfy,) = alerts_option.OPTION.of(snapshot.globals).ntfy
    assert ntfy.token == model.Secret(file="/etc/daemun/token")
