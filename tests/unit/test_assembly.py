"""What concerns all sites and cannot be had from this nginx, or not before a restart."""

import dataclasses

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.options import catalogue, trusted_proxies_option
from daemun.core.rounds import assembly
from daemun.errors import RenderError

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout("/var/lib/daemun"),
    nginx=render_environment.Nginx(path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset()),
    user="nobody",
    group="nogroup",
)


def test_trust_that_this_nginx_cannot_give_is_refused_in_words() -> None:
    desired = model.Desired(
        globals=model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("10.0.0.0/8",))))
    )
    with pytest.raises(RenderError, match=r"trusted_proxies: this nginx was built without .+ `pip install"):
        assembly.assemble_files(desired, ENVIRONMENT, last_good={})


@pytest.mark.parametrize("next_user", ["nobody", None])
def test_the_same_account_is_no_problem(next_user: str | None) -> None:
    env = dataclasses.replace(ENVIRONMENT, next_user=next_user)
    assert assembly.assemble_files(model.Desired(globals=model.Globals()), env, last_good={}).problems == ()


def test_another_account_waits_for_a_restart_and_says_so() -> None:
    env = dataclasses.replace(ENVIRONMENT, next_user="nginx")
    assembled = assembly.assemble_files(model.Desired(globals=model.Globals()), env, last_good={})
    (problem,) = assembled.problems
    assert problem.severity is model.Severity.WARNING
    assert problem.message == ("user: nginx's workers run as nobody, and as nginx after `daemun stop` and `daemun up`")
