"""Which files are suspected when nginx refuses a tree."""

import dataclasses

from daemun.core import change_plan, directive, model, quarantine

SNIPPET = (directive.Directive("return", (directive.Expr("204"),)),)
HOSTS = ("a.test", "b.test", "c.test")


def site(host: str) -> model.Site:
    return model.Site(host=host, snippet=SNIPPET)


def test_suspects_are_hand_written_and_new() -> None:
    plain = dataclasses.replace(site("d.test"), snippet=())
    desired = model.Desired(globals=model.Globals(snippet=SNIPPET), sites=(*map(site, HOSTS), plain))
    files = {change_plan.site_file(host): b"new" for host in (*HOSTS, "d.test")}
    last_good = {change_plan.site_file("a.test"): b"new"}
    assert quarantine.find_suspects(desired, files, last_good) == (
        change_plan.site_file("b.test"),
        change_plan.site_file("c.test"),
    )
