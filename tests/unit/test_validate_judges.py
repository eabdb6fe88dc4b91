"""Several judges in one site."""

import pytest

from daemun.core import model
from daemun.core.rounds import merge
from daemun.sources import yaml_file

HEAD = "sites: {a.test: {access: {forward_auth: oauth2-proxy}, routes: {/: http://127.0.0.1:1, "


def problems_of(text: str) -> list[str]:
    return [one.message for one in yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc").problems]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "/x/: {to: http://127.0.0.1:2, access: {forward_auth: {kind: oauth2-proxy, url: http://other:4180}}}}}}",
        "access: {forward_auth: oauth2-proxy}\n"
        "sites: {a.test: {/x/: {to: http://127.0.0.1:2, access: {forward_auth: "
        "{kind: oauth2-proxy, url: 'http://other:4180/oauth2/auth?allowed_groups=x'}}}}}",
    ],
)
def test_two_judges_that_need_one_path(text: str) -> None:
    (problem,) = problems_of(text)
    assert "/oauth2/" in problem
    assert "http://other:4180" in problem
    assert "http://oauth2-proxy:4180" in problem


@pytest.mark.parametrize(
    "text",
    [
        # The same one, for other groups.
        HEAD + "/x/: {to: http://127.0.0.1:2, access: {forward_auth: {kind: oauth2-proxy, "
        "url: 'http://oauth2-proxy:4180/oauth2/auth?allowed_groups=admins'}}}}}}",
        # Judges with other paths, and with none.
        HEAD + "/x/: {to: http://127.0.0.1:2, access: {forward_auth: authentik}}}}}",
        HEAD + "/x/: {to: http://127.0.0.1:2, access: {forward_auth: authelia}}}}}",
        # A path that the owner leads somewhere.
        HEAD + "/oauth2/: http://127.0.0.1:3, /x/: {to: http://127.0.0.1:2, "
        "access: {forward_auth: {kind: oauth2-proxy, url: http://other:4180}}}}}}",
    ],
)
def test_judges_that_go_together(text: str) -> None:
    assert problems_of(text) == []


def test_a_site_with_two_is_left_out() -> None:
    text = HEAD + "/x/: {to: http://127.0.0.1:2, access: {forward_auth: {kind: oauth2-proxy, url: http://o:1}}}}}}"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc")
    desired = merge.merge_snapshots([model.Snapshot(source="x", globals=snapshot.globals, sites=snapshot.sites)])
    assert [one.host for one in desired.sites if one.fault is None] == []
