"""What `daemun plan` shows of nginx's lines."""

import json
import typing

from daemun.cli.commands import plan

LINES = [
    '- proxy_set_header Authorization "Bearer the-old-one";',
    '+ proxy_set_header Authorization "Bearer the-new-one";',
    '+ proxy_set_header X-Api-Key "k3y-of-api";',
    '+ proxy_set_header X-Odd "known-elsewhere";',
    '+ proxy_set_header X-Plain "shown";',
]


def test_a_plan_has_no_secrets() -> None:
    report: dict[str, typing.Any] = {
        "changes": [{"host": "a.test", "kind": "changed", "lines": LINES}, {"host": "b.test", "kind": "added"}],
        "streams": [{"name": "s", "kind": "changed", "lines": ['+ set $api_token "t0ken";']}],
        "reload": False,
        "steps": [],
        "problems": [],
    }
    found = plan.hide(report, {'"known-elsewhere"'})
    text = "\n".join([*plan.lines_of(found), json.dumps(found)])
    assert not [one for one in ("the-old", "the-new", "k3y", "elsewhere", "t0ken") if one in text]
    assert "X-Plain" in text
    assert "shown" in text
    assert found["changes"][1] == report["changes"][1]
