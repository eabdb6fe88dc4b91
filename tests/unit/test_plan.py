"""The steps between what is wanted and what is there."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.plan import change_plan
from daemun.core.services import dns_service

SITE = model.Site(
    host="shop.example.com",
    routes=(
        model.Route(
            path="/",
            action=model.Proxy(targets=(model.Target(scheme=model.Scheme.HTTP, host="10.0.0.5", port=80),)),
        ),
    ),
)
DESIRED = model.Desired(globals=model.Globals(), sites=(SITE, dataclasses.replace(SITE, host="*.apps.example.com")))
FILES = {"nginx.conf": b"main", "sites/shop.example.com.conf": b"one", "sites/_.apps.example.com.conf": b"two"}
RUNNING = model.Actual(pid=7, generation=3, current_generation=3, files=FILES)


def test_equal_trees_leave_nginx_alone() -> None:
    wanted = change_plan.plan(DESIRED, FILES, RUNNING, specs=(), services=())
    assert wanted.activation is change_plan.Activation.NOTHING
    assert wanted.changes == ()


def test_changes_are_named_by_host_and_kind() -> None:
    before = {"nginx.conf": b"old", "sites/shop.example.com.conf": b"old", "sites/gone.example.com.conf": b"x"}
    wanted = change_plan.plan(DESIRED, FILES, dataclasses.replace(RUNNING, files=before), specs=(), services=())
    assert [str(change) for change in wanted.changes] == [
        "added *.apps.example.com",
        "removed gone.example.com",
        "changed shop.example.com",
    ]
    assert wanted.files_changed == ("nginx.conf",)
    assert wanted.activation is change_plan.Activation.RELOAD


@pytest.mark.parametrize(
    ("actual", "activation"),
    [
        (model.Actual(), change_plan.Activation.START),
        (model.Actual(files=FILES, current_generation=3), change_plan.Activation.START),
        # A kill between the switch of the link and the reload: the files are right, the workers are not.
        (dataclasses.replace(RUNNING, generation=2), change_plan.Activation.RELOAD),
        (dataclasses.replace(RUNNING, generation=None), change_plan.Activation.RELOAD),
    ],
)
def test_what_nginx_must_do(actual: model.Actual, activation: change_plan.Activation) -> None:
    assert change_plan.choose_activation(FILES, actual) is activation


@pytest.mark.parametrize(
    ("before", "after", "is_same"),
    [
        (b"# daemun.yaml:3:5\nlisten 80;\n", b"# daemun.yaml:4:5\nlisten 80;\n", True),
        (b"server {\n    # daemun.yaml:3:5\n}\n", b"server {\n    # daemun.yaml:9:5\n}\n", True),
        (b"# one\nlisten 80;\n", b"# one\nlisten 81;\n", False),
        (b'return 200 "# 1";\n', b'return 200 "# 2";\n', False),
        (b"listen 80;\n", b"# listen 80;\n", False),
        (b"a.test b;  # daemun.yaml:3:5\n", b"a.test b;  # daemun.yaml:4:5\n", True),
        (b"a.test b;  # daemun.yaml:3:5\n", b"a.test b;\n", True),
        (b"a.test b;  # daemun.yaml:3:5\n", b"a.test c;  # daemun.yaml:3:5\n", False),
        (b'add_header X "1;  # 2" always;\n', b'add_header X "1;  # 3";\n', False),
    ],
)
def test_a_comment_that_changed_is_no_change(before: bytes, after: bytes, is_same: bool) -> None:
    path = "sites/shop.example.com.conf"
    wanted, actual = {**FILES, path: after}, dataclasses.replace(RUNNING, files={**FILES, path: before})
    found = change_plan.plan(DESIRED, wanted, actual, specs=(), services=())
    assert (found.activation is change_plan.Activation.NOTHING) == is_same
    assert (found.changes == ()) == is_same


def test_every_step_reads_as_a_sentence() -> None:
    spec = model.CertificateSpec(name="a", host="a", names=("a",), mode=model.TlsMode.LOCAL)
    service = dns_service.Service(name="x.daemun", host="html", port=80)
    wanted = change_plan.plan(DESIRED, FILES, model.Actual(), specs=(spec,), services=(service,))
    assert [str(step) for step in wanted.steps] == [
        "prepare 1 certificate",
        "look up the addresses of html:80",
        "start nginx",
    ]
    nothing_to_look_up = change_plan.plan(DESIRED, FILES, model.Actual(), specs=(spec,), services=())
    assert [str(step) for step in nothing_to_look_up.steps] == ["prepare 1 certificate", "start nginx"]
