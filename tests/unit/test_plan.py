"""The steps between what is wanted and what is there."""

import dataclasses

import pytest

from daemun.core import model, plan

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
    wanted = plan.plan(DESIRED, FILES, RUNNING, specs=(), services=())
    assert wanted.activation is plan.Activation.NOTHING
    assert wanted.changes == ()


def test_changes_are_named_by_host_and_kind() -> None:
    before = {"nginx.conf": b"old", "sites/shop.example.com.conf": b"old", "sites/gone.example.com.conf": b"x"}
    wanted = plan.plan(DESIRED, FILES, dataclasses.replace(RUNNING, files=before), specs=(), services=())
    assert [str(change) for change in wanted.changes] == [
        "added *.apps.example.com",
        "removed gone.example.com",
        "changed shop.example.com",
    ]
    assert wanted.files_changed == ("nginx.conf",)
    assert wanted.activation is plan.Activation.RELOAD


@pytest.mark.parametrize(
    ("actual", "activation"),
    [
        (model.Actual(), plan.Activation.START),
        (model.Actual(files=FILES, current_generation=3), plan.Activation.START),
        # A kill between the switch of the link and the reload: the files are right, the workers are not.
        (dataclasses.replace(RUNNING, generation=2), plan.Activation.RELOAD),
        (dataclasses.replace(RUNNING, generation=None), plan.Activation.RELOAD),
    ],
)
def test_what_nginx_must_do(actual: model.Actual, activation: plan.Activation) -> None:
    assert plan.choose_activation(FILES, actual) is activation


def test_every_step_reads_as_a_sentence() -> None:
    spec = model.CertificateSpec(name="a", host="a", names=("a",), mode=model.TlsMode.LOCAL)
    service = model.Service(name="x.daemun", host="html", port=80)
    wanted = plan.plan(DESIRED, FILES, model.Actual(), specs=(spec,), services=(service,))
    assert [str(step) for step in wanted.steps] == [
        "prepare 1 certificate",
        "publish the addresses of html:80",
        "start nginx",
    ]
