"""A site whose port cannot be had: what its visitors get instead, and that it concerns nobody else."""

import dataclasses

import pytest

from daemun.core import directive, layout, model, render_environment
from daemun.core.plan import change_plan, listeners
from daemun.core.plan.quarantine import StandIn
from daemun.core.render import render_tree
from daemun.core.rounds import assembly, outcome
from tests.support.sites import site, with_options

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout("/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
    ),
    resolver="127.0.0.1:53",
)
CLEAR = model.Tls(mode=model.TlsMode.OFF)
OTHER = site("other.test", "http://10.0.0.9")


def one(**options: object) -> model.Site:
    return site("a.test", "http://10.0.0.1", **options)


def desired(*sites: model.Site, **settings: object) -> model.Desired:
    return model.Desired(globals=model.Globals(**with_options(settings)), sites=sites)


def denied(*addresses: str) -> dict[str, listeners.Denied]:
    return {
        address: listeners.Denied(address=address, cause="the port is taken by x (pid 7)", ways=("stop that program",))
        for address in addresses
    }


EVERYWHERE = denied("0.0.0.0:8080", "[::]:8080")


def assembled(
    wanted: model.Desired,
    gone: dict[str, listeners.Denied],
    *,
    before: model.Desired | None = None,
) -> assembly.Assembled:
    last_good = {} if before is None else render_tree.render_files(before, ENVIRONMENT)
    return assembly.assemble_files(wanted, ENVIRONMENT, last_good=last_good, denied=gone)


def reach(found: assembly.Assembled, host: str = "a.test") -> set[str]:
    return set(listeners.reach(found.files[change_plan.site_file(host)]))


def stand_in(found: assembly.Assembled) -> StandIn:
    (refused,) = found.refused
    assert refused.path == change_plan.site_file("a.test")
    return refused.stand_in


# --- a site that is new ----------------------------------------------------------------------------------------


def test_a_new_site_is_served_where_it_can_be() -> None:
    found = assembled(desired(one(http_port=8080), OTHER), EVERYWHERE)

    assert stand_in(found) is StandIn.REST
    assert reach(found) == {"listen/https.conf"}
    assert b"8080" not in b"".join(found.files.values())
    assert found.files[change_plan.site_file("other.test")] == render_tree.render_site(OTHER, ENVIRONMENT)


def test_one_address_of_two_is_enough() -> None:
    found = assembled(desired(one(http_port=8080)), denied("[::]:8080"))

    assert stand_in(found) is StandIn.REST
    assert reach(found) == {"listen/https.conf", "0.0.0.0:8080"}
    assert "0.0.0.0:8080" in listeners.addresses(found.files["nginx.conf"])
    assert "[::]:8080" not in listeners.addresses(found.files["nginx.conf"])


def test_nobody_is_sent_to_the_program_that_holds_the_port() -> None:
    found = assembled(desired(one(https_port=8080)), EVERYWHERE)

    assert stand_in(found) is StandIn.UNAVAILABLE
    assert reach(found) == {"listen/http.conf"}
    content = found.files[change_plan.site_file("a.test")]
    assert b"503" in content
    assert b"301" not in content


def test_clear_text_that_was_asked_for_goes_on_without_https() -> None:
    found = assembled(desired(one(https_port=8080, http=model.HttpMode.SERVE)), EVERYWHERE)

    assert stand_in(found) is StandIn.REST
    assert reach(found) == {"listen/http.conf"}
    assert b"proxy_pass" in found.files[change_plan.site_file("a.test")]


def test_a_site_that_has_no_other_address_is_nowhere_and_nginx_sees_no_server_of_it() -> None:
    found = assembled(desired(one(http_port=8080, tls=CLEAR), OTHER), EVERYWHERE)

    assert stand_in(found) is StandIn.NOTHING
    content = found.files[change_plan.site_file("a.test")]
    assert all(line.startswith(b"#") for line in content.splitlines())


def test_a_hand_written_listen_is_left_out_of_its_server() -> None:
    snippet = (directive.Directive("listen", (directive.Expr("8080"),)),)
    found = assembled(desired(one(snippet=snippet), OTHER), denied("0.0.0.0:8080"))

    assert stand_in(found) is StandIn.REST
    assert reach(found) == {"listen/http.conf", "listen/https.conf"}


def test_the_hand_written_nginx_of_the_whole_file_is_used_without_its_server() -> None:
    def line(name: str, *words: str, block: tuple[directive.Node, ...] | None = None) -> directive.Directive:
        return directive.Directive(name, tuple(directive.Expr(word) for word in words), block)

    servers = (line("server", block=(line("listen", "8080"),)), line("server", block=(line("listen", "8081"),)))
    found = assembled(desired(OTHER, snippet=(line("charset", "utf-8"), *servers)), denied("0.0.0.0:8080"))

    assert listeners.addresses(found.files["snippets/http.conf"]) == {"0.0.0.0:8081"}
    assert b"charset utf-8;" in found.files["snippets/http.conf"]
    (problem,) = outcome.refusal_problems(desired(OTHER), found.refused)
    assert "hand-written nginx of the whole file: cannot listen on 0.0.0.0:8080" in problem.message


# --- a site that is known --------------------------------------------------------------------------------------


@pytest.mark.parametrize("moved", [{"https_port": 8080}, {"http_port": 8080}])
def test_a_site_that_moves_stays_where_it_is_reached(moved: dict[str, int]) -> None:
    before = desired(one(), OTHER)
    found = assembled(desired(one(**moved), OTHER), EVERYWHERE, before=before)

    assert stand_in(found) is StandIn.LAST_GOOD
    assert found.files == render_tree.render_files(before, ENVIRONMENT)


def test_the_default_server_stays_with_it_and_comes_to_nowhere_new() -> None:
    before = desired(one(http_port=7000, https_port=7001), OTHER)
    wanted = desired(one(http_port=8080, https_port=9001), OTHER)
    found = assembled(wanted, EVERYWHERE, before=before)
    again = assembly.assemble_files(wanted, ENVIRONMENT, last_good=found.files, denied=EVERYWHERE)

    assert stand_in(found) is StandIn.LAST_GOOD
    assert {line.written for line in listeners.read(found.files["nginx.conf"]) if "default_server" in line.options} == {
        *("80", "[::]:80", "443", "[::]:443"),
        *("7000", "[::]:7000", "7001", "[::]:7001"),
    }
    assert again.files == found.files


def test_what_is_left_of_a_new_version_goes_live_when_nobody_loses_by_it() -> None:
    known = assembled(desired(one(http_port=8080)), EVERYWHERE).files
    changed = dataclasses.replace(one(http_port=8080), aliases=("b.test",))
    found = assembly.assemble_files(desired(changed), ENVIRONMENT, last_good=known, denied=EVERYWHERE)

    assert stand_in(found) is StandIn.REST
    assert b"b.test" in found.files[change_plan.site_file("a.test")]


def test_a_last_good_version_that_asks_for_the_port_cannot_stand_in() -> None:
    """nginx was killed, and meanwhile another program took the port of a site that was live."""
    before = desired(one(http_port=8080), OTHER)
    found = assembled(before, EVERYWHERE, before=before)

    assert stand_in(found) is StandIn.REST
    assert reach(found) == {"listen/https.conf"}


def test_a_site_that_cannot_be_rendered_does_not_bring_the_port_back() -> None:
    broken = site("a.test", "http://10.0.0.1", "http://10.0.0.2", http_port=8080)  # one path twice
    found = assembled(desired(broken, OTHER), EVERYWHERE, before=desired(one(http_port=8080), OTHER))

    assert stand_in(found) is StandIn.UNAVAILABLE
    assert "0.0.0.0:8080" not in {*reach(found), *listeners.addresses(found.files["nginx.conf"])}


# --- what is told ----------------------------------------------------------------------------------------------


def test_the_reason_names_the_addresses_once_and_what_to_do() -> None:
    wanted = desired(one(http_port=8080), OTHER)
    found = assembled(wanted, EVERYWHERE)

    (problem,) = outcome.refusal_problems(wanted, found.refused)
    assert problem.host == "a.test"
    assert problem.message == (
        'cannot apply site "a.test": cannot listen on 0.0.0.0:8080 and [::]:8080: the port is taken by x (pid 7); '
        "stop that program, or give the site another port; it is served without that, and no other site is affected"
    )
    states = {
        status.site.host: status.state
        for status in outcome.site_statuses(wanted, live=found.files, rendered=found.files, refused=found.refused)
    }
    assert states == {"a.test": model.SiteState.QUARANTINED, "other.test": model.SiteState.LIVE}


@pytest.mark.parametrize(("tls", "is_served"), [(model.Tls(), True), (CLEAR, False)])
def test_containers_of_the_site_are_told_of_it(tls: model.Tls, *, is_served: bool) -> None:
    containers = (
        model.ContainerStatus(name="mine", hosts=("a.test",)),
        model.ContainerStatus(name="stopped", hosts=("a.test",), is_served=False, why="is not running"),
        model.ContainerStatus(name="other", hosts=("other.test",)),
    )
    wanted = dataclasses.replace(desired(one(http_port=8080, tls=tls), OTHER), containers=containers)
    found = assembled(wanted, EVERYWHERE)

    mine, *others = outcome.judge_containers(wanted, found.refused)
    assert mine.is_served is is_served
    assert mine.why is not None
    assert "the port is taken by x (pid 7)" in mine.why
    assert mine.cure == "stop that program, or give the site another port"
    assert tuple(others) == containers[1:]


def test_a_page_that_says_sorry_is_no_last_good_version() -> None:
    wanted = desired(one(https_port=8080))
    page = assembled(wanted, EVERYWHERE)
    again = assembly.assemble_files(wanted, ENVIRONMENT, last_good=page.files, denied=EVERYWHERE)

    assert stand_in(page) is stand_in(again) is StandIn.UNAVAILABLE
    assert again.files == page.files


def test_nor_is_a_site_that_was_nowhere() -> None:
    wanted = desired(one(http_port=8080, https_port=8081))
    nowhere = assembled(wanted, EVERYWHERE | denied("0.0.0.0:8081", "[::]:8081"))
    page = assembly.assemble_files(
        wanted, ENVIRONMENT, last_good=nowhere.files, denied=denied("0.0.0.0:8081", "[::]:8081")
    )

    assert stand_in(nowhere) is StandIn.NOTHING
    assert stand_in(page) is StandIn.UNAVAILABLE
