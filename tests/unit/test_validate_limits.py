"""Limits by user that would count something else."""

import pytest

from daemun.core import model
from daemun.sources import yaml_file

LIMIT = "rate_limit: {rate: 5/m, by: user}"
JUDGE = "forward_auth: {url: 'http://127.0.0.1:2/check'"


def problems_of(text: str) -> list[model.Problem]:
    return list(yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc").problems)


IN_A_ROUTE = f"sites: {{a.test: {{routes: {{/: {{to: 'http://127.0.0.1:1', access: {{{LIMIT}}}}}}}}}}}"


def site(access: str, more: str = "") -> str:
    return f"sites: {{a.test: {{access: {{{access}, {LIMIT}}}, routes: {{/: 'http://127.0.0.1:1'}}{more}}}}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (site("allow: private"), "nobody has a name"),
        (f"access: {{{LIMIT}}}\nsites: {{}}", "nobody has a name"),
        (
            f"sites: {{a.test: {{routes: {{/: {{to: 'http://127.0.0.1:1', access: {{{LIMIT}}}}}}}}}}}",
            "nobody has a name",
        ),
        (site(f"{JUDGE}}}"), "in its `copy`"),
        (site(f"{JUDGE}, copy: [X-Groups, X-Login]}}"), "'X-Groups'"),
        (site(f"{JUDGE}, copy: [X-User-Roles]}}"), "'X-User-Roles'"),
        (f"login: x.test\n{site('login: true', ', nginx: limit_req zone=mine;')}", "hand-written `limit_req`"),
        (f"login: x.test\nnginx: limit_req zone=mine;\n{site('login: true')}", "hand-written `limit_req`"),
    ],
)
def test_what_is_reported(text: str, said: str) -> None:
    (found,) = problems_of(text)
    assert said.replace("'", '"') in found.message
    assert found.severity is model.Severity.WARNING
    assert not problems_of(text.replace("by: user", "by: address"))


@pytest.mark.parametrize(
    "text",
    [
        f"login: x.test\n{site('login: true')}",
        f"login: x.test\naccess: {{login: true}}\n{site('connections: 5')}",
        site("forward_auth: authelia"),
        site(f"{JUDGE}, copy: [X-Groups, Remote-User]}}"),
        site(f"{JUDGE}, copy: [X-Login, X-Groups]}}"),
    ],
)
def test_what_counts_by_user(text: str) -> None:
    assert problems_of(text) == []
