"""`streams`: what may be written, what is wrong with it, and what follows from it."""

import dataclasses

import pytest

from daemun.core import model, render_environment
from daemun.core.access import access_levels
from daemun.core.certificates import certificate_choice
from daemun.core.options import stream_forms, streams_option
from daemun.core.plan import change_plan, listeners, quarantine
from daemun.core.render import render_tree
from daemun.core.rounds import assembly, merge, outcome
from daemun.core.services import dns_services
from daemun.nginx import find_nginx
from daemun.sources import yaml_file
from tests.unit import test_render_golden

ENVIRONMENT = test_render_golden.ENVIRONMENT
PLAIN = "plain: {listen: 1883, to: tcp://10.0.0.5:1883}"


def read(*streams: str, more: str = "", sites: str = "sites: {}") -> model.Snapshot:
    lines = [more, sites, "streams:", *(f"  {one}" for one in streams), ""]
    return yaml_file.parse("\n".join(lines), file_name="daemun.yaml", base_dir="/etc/daemun")


def desire(*streams: str, more: str = "") -> model.Desired:
    snapshot = read(*streams, more=more)
    assert not snapshot.problems
    return merge.merge_snapshots([snapshot])


def test_one_server_and_one_address_need_no_list() -> None:
    settings = read(PLAIN).globals
    assert settings is not None
    (one,) = streams_option.OPTION.of(settings)
    assert (one.name, one.origin.place) == ("plain", "daemun.yaml:4:3")
    assert one.stream.listen == (model.Address(port=1883),)
    assert [str(server.url) for server in one.stream.to] == ["tcp://10.0.0.5:1883"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tcp://broker:1883", "tcp://broker:1883"),
        ("UDP://[::1]:53", "udp://[::1]:53"),
        ("tcp://unix:/run/x.sock", "tcp://unix:/run/x.sock"),
    ],
)
def test_servers(text: str, meant: str) -> None:
    assert str(stream_forms.parse_target(text)) == meant


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        ("a: {listen: 1, to: 'broker:1883'}", 'has no scheme; .*; write "tcp://broker:1883"'),
        ("a: {listen: 1, to: 'mqtt://broker:1883'}", 'has the scheme "mqtt"; .*; write "tcp://broker:1883"'),
        ("a: {listen: 1, to: tcp://broker}", "has no port"),
        ("a: {listen: 1, to: 'tcp://broker:1/x'}", 'more than a host and a port; write "tcp://broker:1"'),
        ("a: {listen: 1, to: []}", "streams.a.to: is empty"),
        ("a: {listen: [], to: tcp://b:2}", "streams.a.listen: is empty"),
        ("a: {listen: 70000, to: tcp://b:2}", "port 70000 is not between 1 and 65535"),
        ("a b: {listen: 1, to: tcp://b:2}", "is no name of a stream"),
        ("../a: {listen: 1, to: tcp://b:2}", "is no name of a stream"),
        ("a: {listen: 1, to: [tcp://b:2, udp://b:2]}", "is of another protocol"),
        ("a: {listen: 1, to: 'udp://unix:/x.sock'}", "takes no UDP"),
        ("a: {listen: 1, to: udp://b:2, proxy_protocol: true}", "proxy_protocol: is for TCP"),
        ("a: {listen: 1, to: tcp://b:2, responses: 1}", "responses: is for UDP"),
        ("a: {listen: 1, to: tcp://b:2, connections: 0}", "connections: 0 is not between"),
        ("a: {listen: 1, to: tcp://b:2, allow: [nonsense]}", "allow: "),
        ("a: {listen: 1, to: [{url: tcp://b:2, backup: true}]}", "no server that is in use from the start"),
        ("a: {listen: 1, to: [tcp://b:2, {url: tcp://c:2, backup: true}], balance: random}", "balance: random cannot"),
        ("a: {listen: 1, to: tcp://b:2, timeout: 0}", "timeout.idle: "),
        ("a: {listen: 1, to: tcp://127.0.0.1:1}", "would come back without end"),
        ("a: {listen: '10.0.0.1:1', to: tcp://10.0.0.1:1}", "would come back without end"),
        ("a: {listen: 1, to: udp://b:2, tls: a.test}", "tls: is for TCP"),
        ("a: {listen: 1, to: tcp://b:2, tls: 'a b'}", 'tls: "a b" '),
        ("a: {listen: 1, to: tcp://b:2, tls: passtrough}", 'did you mean "passthrough"'),
        ("a: {listen: 1, to: tcp://b:2, tls: pass-through}", 'did you mean "passthrough"'),
        ("a: {listen: 1, to: tcp://b:2, tls: true}", "expected a host whose certificate is shown, or passthrough"),
        ("a: {listen: 1, to: [tls://b:2, tls://c:2]}", "has several tls:// hosts; set `server_name`"),
        ("a: {listen: 1, to: 'tls://10.0.0.5:2'}", "cannot be verified, because nginx compares names only"),
        ("a: {listen: 1, to: tls://b:2, server_name: 10.0.0.5}", "server_name: is an IP address"),
        ("a: {listen: 1, to: tcp://b:2, verify: false}", "verify: has no effect"),
        ("a: {listen: 443, to: tcp://b:2, tls: passthrough}", 'needs `hosts`, .*: "a" is none'),
        ("a: {listen: 443, to: tcp://b:2, tls: passthrough, hosts: [10.0.0.1]}", "is an address"),
        (
            "a.test: {listen: 444, to: tcp://b:2, tls: passthrough}",
            r"expected the port of listen.https \(443\) alone, found 444; write `listen: 443`",
        ),
        (
            "a.test: {listen: '10.0.0.1:443', to: tcp://b:2, tls: passthrough}",
            "found 10.0.0.1:443; write `listen: 443`",
        ),
        ("a.test: {listen: 443, to: tls://b:2, tls: passthrough}", "is TLS already"),
        ("a.test: {listen: 443, to: tcp://b:2, tls: passthrough, proxy_protocol: true}", "cannot stand beside"),
        ("a.test: {listen: 1, to: tcp://b:2, hosts: [b.test]}", "only beside `tls: passthrough`"),
        ("a: {listen: 443, to: tcp://b:2}", "443 is already listened on by listen.https"),
        ("a: {listen: '127.0.0.1:80', to: tcp://b:2}", "is already listened on by listen.http"),
        ("a: {listen: [1, '127.0.0.1:1'], to: tcp://b:2}", "is already listened on by the same stream"),
    ],
)
def test_mistakes_are_reported_at_their_line(stream: str, cause: str) -> None:
    (problem,) = read(stream).problems
    assert problem.origin.place.startswith("daemun.yaml:4:")
    with pytest.raises(AssertionError, match=cause):
        raise AssertionError(problem.message)


def test_two_streams_share_no_address_but_a_port_of_each_protocol() -> None:
    rival = read(PLAIN, "other: {listen: '127.0.0.1:1883', to: tcp://b:2}")
    assert "already listened on by" in rival.problems[0].message
    assert not read(PLAIN, "other: {listen: 1883, to: udp://b:2}").problems
    assert not read(PLAIN, "off: {listen: 1883, to: tcp://b:2, enabled: false}").problems
    assert not read("web: {listen: 443, to: udp://b:2}").problems
    rivals = read("web: {listen: 443, to: udp://b:2}", more="http3: true").problems
    assert any("443 is already listened on by http3" in one.message for one in rivals)
    assert not read("a: {listen: '127.0.0.1:1', to: tcp://b:2}", "b: {listen: '127.0.0.2:1', to: tcp://b:2}").problems


def test_a_site_with_the_port_of_a_stream_is_refused() -> None:
    snapshot = read(PLAIN)
    own = model.Snapshot(
        source="docker",
        sites=(dataclasses.replace(_site(), http_port=1883, origin=model.Origin(source="docker", place="c")),),
    )
    desired = merge.merge_snapshots([snapshot, own])
    assert desired.sites == ()
    assert "it wants HTTP on port 1883, which a stream has" in desired.problems[0].message


def _site() -> model.Site:
    (found,) = read(PLAIN, sites="sites: {a.test: http://10.0.0.1:80}").sites
    return found


def test_names_of_servers_are_looked_up_and_names_of_visitors_known() -> None:
    desired = desire("a: {listen: 1, to: tcp://broker:1883, allow: [home.example.com]}", PLAIN)
    assert [str(service) for service in dns_services.find_services(desired)] == ["broker:1883"]
    (place,) = access_levels.find_names(desired).values()
    assert (list(access_levels.find_names(desired)), place.field) == (["home.example.com"], ("streams", "a", "allow"))
    assert not dns_services.find_services(desire("a: {listen: 1, to: tcp://broker:1883, enabled: false}"))


def test_a_name_that_is_denied_and_not_known_denies_all() -> None:
    files = render_tree.render_files(desire("a: {listen: 1, to: tcp://10.0.0.5:1, deny: [x.example.com]}"), ENVIRONMENT)
    assert b"    deny all;\n" in files["streams/a.conf"]


def test_without_streams_nginx_has_no_word_of_them() -> None:
    off = "a: {listen: 1, to: tcp://b:2, enabled: false}"
    for desired in (model.Desired(globals=model.Globals()), desire(off)):
        files = render_tree.render_files(desired, ENVIRONMENT)
        assert not any(path.startswith("streams/") for path in files)
        assert b"stream {" not in files["nginx.conf"]


def _environment(**changes: object) -> render_environment.Environment:
    nginx = dataclasses.replace(ENVIRONMENT.nginx, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(ENVIRONMENT, nginx=nginx)


def test_a_module_is_loaded_for_streams_alone() -> None:
    env = _environment(stream_module="/usr/lib/nginx/modules/ngx_stream_module.so")
    line = b"load_module /usr/lib/nginx/modules/ngx_stream_module.so;"
    assert line in render_tree.render_files(desire(PLAIN), env)["nginx.conf"]
    assert line not in render_tree.render_files(model.Desired(globals=model.Globals()), env)["nginx.conf"]


def test_what_nginx_cannot_do_is_that_streams_trouble() -> None:
    env = _environment(features=frozenset(render_environment.Feature) - {render_environment.Feature.STREAM_LIMIT_CONN})
    desired = desire(PLAIN, "limited: {listen: 2, to: tcp://10.0.0.5:1, connections: 1}")
    assembled = assembly.assemble_files(desired, env, last_good={"streams/limited.conf": b"listen 2;\n"})
    assert "streams/plain.conf" in assembled.files
    assert "streams/limited.conf" not in assembled.files, "an earlier version could let in more"
    (problem,) = outcome.refusal_problems(desired, assembled.refused)
    assert problem.message.startswith(
        'cannot apply stream "limited": nginx 1.31.3 at /usr/sbin/nginx has no limits of '
    )
    assert "libnginx-mod-stream" in problem.message
    assert problem.origin.place == "daemun.yaml:5:3"


def test_an_address_that_another_program_has_is_that_streams_trouble() -> None:
    desired = desire(PLAIN, "dns: {listen: '127.0.0.1:53', to: udp://10.0.0.5:53}")
    files = render_tree.render_files(desired, ENVIRONMENT)
    actual = model.Actual(pid=1, generation=1, current_generation=1, files={})
    assert {"0.0.0.0:1883", "127.0.0.1:53/udp"} <= listeners.find_untried(files, actual)
    assert listeners.as_listened("127.0.0.1:53", files) == "127.0.0.1:53/udp"
    assert listeners.as_listened("0.0.0.0:1883", files) == "0.0.0.0:1883"
    address = "127.0.0.1:53/udp"
    assert listeners.is_for_single_files(address, files, {})
    denied = {address: listeners.Denied(address=address, cause="the port is taken by x", ways=("stop that program",))}
    assembled = assembly.assemble_files(desired, ENVIRONMENT, last_good={}, denied=denied)
    assert assembled.files["streams/dns.conf"] == b""
    (refused,) = assembled.refused
    assert refused.stand_in is quarantine.StandIn.NOTHING
    assert refused.reason.endswith("stop that program, or give the stream another port")
    good = b"server {\n    listen 54 udp;\n}\n"
    assembled = assembly.assemble_files(desired, ENVIRONMENT, last_good={"streams/dns.conf": good}, denied=denied)
    assert assembled.files["streams/dns.conf"] == good, "what runs goes on"


def test_states_and_changes() -> None:
    desired = desire(PLAIN, "off: {listen: 2, to: tcp://b:2, enabled: false}", "new: {listen: 3, to: tcp://10.0.0.5:3}")
    wanted = render_tree.render_files(desired, ENVIRONMENT)
    live = {path: content for path, content in wanted.items() if path != "streams/new.conf"} | {
        "streams/old.conf": b"x;"
    }
    states = outcome.stream_statuses(desired, live=live, rendered=wanted)
    assert [(one.name, one.state.value, one.reason) for one in states] == [
        ("new", "pending", "not applied yet"),
        ("off", "disabled", None),
        ("plain", "live", None),
    ]
    refused = quarantine.RefusedFile(path="streams/new.conf", cause="no", stand_in=quarantine.StandIn.NOTHING)
    (first, *_) = outcome.stream_statuses(desired, live=live, rendered=wanted, refused=(refused,))
    assert (first.state.value, first.reason, first.is_served) == ("quarantined", "no", False)
    assert [str(one) for one in change_plan.diff_streams(wanted, live)] == ["added stream new", "removed stream old"]


def test_a_line_more_above_is_no_change() -> None:
    before, after = (render_tree.render_files(desire(PLAIN, more=more), ENVIRONMENT) for more in ("", "# more\n\n"))
    assert before["streams/plain.conf"] != after["streams/plain.conf"]
    assert change_plan.diff_streams(after, before) == ()


def test_certificates_of_streams_are_those_of_sites_or_their_own() -> None:
    snapshot = read(
        "a: {listen: 1, to: tcp://b:2, tls: www.a.test}",
        "b: {listen: 3, to: tcp://b:2, tls: mqtt.example.com}",
        "c: {listen: 4, to: tcp://b:2, tls: plain.test}",
        "d: {listen: 5, to: tcp://b:2, tls: off.example.com, enabled: false}",
        sites="sites: {a.test: {aliases: [www.a.test], routes: {/: 'http://b:1'}}, plain.test: {tls: off, routes: {/: 'http://b:1'}}}",
    )
    desired = merge.merge_snapshots([snapshot])
    specs = {spec.host: spec for spec in certificate_choice.find_specs(desired)}
    assert {host: spec.mode.value for host, spec in specs.items()} == {
        "a.test": "local",
        "mqtt.example.com": "acme",
        "plain.test": "local",
    }
    assert specs["mqtt.example.com"].origin.place.startswith("daemun.yaml:")
    shown = certificate_choice.find_of_streams(desired)
    assert {host: one.folder for host, one in shown.items()} == {
        "www.a.test": certificate_choice.folder_of(desired.sites[0], "www.a.test"),
        "mqtt.example.com": "mqtt.example.com",
        "plain.test": "plain.test",
    }


def test_a_stream_keeps_the_certificate_of_a_site_that_is_set_aside() -> None:
    snapshot = read(
        "a: {listen: 1, to: tcp://10.0.0.5:2, tls: www.a.test}",
        sites="sites: {a.test: {aliases: [www.a.test], routes: {/: 'http://10.0.0.5:1'}}}",
    )
    desired = merge.merge_snapshots([snapshot])
    broken = (dataclasses.replace(desired.sites[0], fault=model.SetAside(reason="no")),)
    files = [
        assembly.assemble_files(one, ENVIRONMENT, last_good={}).files["streams/a.conf"]
        for one in (desired, dataclasses.replace(desired, sites=broken))
    ]
    assert files[0] == files[1]
    assert b"ssl_certificate $daemun_stream_pairs/www.a.test/fullchain.pem;" in files[0]


PASSED = "mail.test: {listen: 443, to: tcp://10.0.0.5:443, tls: passthrough}"


@pytest.mark.parametrize(
    ("others", "sites", "owner"),
    [
        ((), "sites: {mail.test: http://10.0.0.1:80}", 'site "mail.test"'),
        ((), "sites: {a.test: {aliases: [mail.test], routes: {/: 'http://10.0.0.1:80'}}}", 'site "a.test"'),
        ((), "login: mail.test\nsites: {}", "the sign-in"),
        (
            ("second: {listen: 443, to: tcp://b:1, tls: passthrough, hosts: [mail.test]}",),
            "sites: {}",
            'stream "mail.test"',
        ),
    ],
)
def test_a_name_in_handshakes_leads_to_one_place(others: tuple[str, ...], sites: str, owner: str) -> None:
    (problem,) = read(PASSED, *others, sites=sites).problems
    assert f'"mail.test" already belongs to {owner}' in problem.message


@pytest.mark.parametrize("listen", ["'127.0.0.1:20443'", "['[::1]:20443', 20444]", "443"])
def test_the_cure_for_another_port_works(listen: str) -> None:
    gate = "listen: {https: ['127.0.0.1:20443', '[::1]:20443']}"
    written = "a.test: {listen: %s, to: tcp://b:2, tls: passthrough}"
    problems = read(written % listen, more=gate).problems
    cures = {problem.message.partition("write `listen: ")[2].removesuffix("`") for problem in problems}
    assert cures == {"20443"}
    assert not read(written % cures.pop(), more=gate).problems


def test_without_addresses_for_https_that_is_the_mistake() -> None:
    (problem,) = read(PASSED, more="listen: {https: []}").problems
    assert "listen.https: is empty" in problem.message


def test_a_container_does_not_get_a_name_that_is_passed_on() -> None:
    own = model.Snapshot(
        source="docker",
        sites=(dataclasses.replace(_site(), host="mail.test", origin=model.Origin(source="docker", place="c")),),
    )
    desired = merge.merge_snapshots([read(PASSED), own])
    assert desired.sites == ()
    assert 'host "mail.test" already belongs to stream "mail.test" (daemun.yaml:4:3)' in desired.problems[0].message
    assert render_tree.render_files(desired, ENVIRONMENT)


WILD = "wild: {listen: 443, to: tcp://10.0.0.5:443, tls: passthrough, hosts: ['*.test', '*.b.example']}"


def _by_name(desired: model.Desired) -> dict[str, str]:
    """What handshakes for names lead to, as nginx is given it."""
    text = assembly.assemble_files(desired, ENVIRONMENT, last_good={}).files["listen/by-name.conf"].decode()
    lines = [line.strip(" ;").split() for line in text.partition("{")[2].partition("}")[0].splitlines()]
    return {words[0]: words[1].rpartition("/")[2] for words in lines if len(words) == 2}


def test_a_name_of_a_site_goes_before_a_wildcard_that_is_passed_on() -> None:
    snapshot = read(
        WILD,
        more="login: auth.test",
        sites="""sites:
  list.test: {aliases: [www.list.test, list.example], routes: {/: 'http://10.0.0.1:80'}}
  "*.a.test": http://10.0.0.1:80
  "*.c.b.example": http://10.0.0.1:80
  b.example: http://10.0.0.1:80
  test: http://10.0.0.1:80
  "*.example": http://10.0.0.1:80
  plain.test: {tls: off, routes: {/: 'http://10.0.0.1:80'}}
  ended.test: {enabled: false, routes: {/: 'http://10.0.0.1:80'}}""",
    )
    assert not [problem for problem in snapshot.problems if problem.severity is model.Severity.ERROR]
    own = dataclasses.replace(_site(), host="container.test", origin=model.Origin(source="docker", place="c"))
    other = dataclasses.replace(own, host="other.test", https_port=8443)
    desired = merge.merge_snapshots([snapshot, model.Snapshot(source="docker", sites=(own, other))])
    ours = {"list.test", "www.list.test", "auth.test", "*.a.test", "*.c.b.example", "container.test"}
    places = _by_name(desired)
    passed = places.pop("*.test")
    assert places.pop("*.b.example") == passed != "to-sites.sock"
    assert places == dict.fromkeys({"default", *ours}, "to-sites.sock")
    broken = dataclasses.replace(desired.sites[0], host="list.test", fault=model.SetAside(reason="no"))
    assert _by_name(dataclasses.replace(desired, sites=(broken,)))["list.test"] == "to-sites.sock", "its page does, too"


def test_many_names_of_sites_have_room_in_the_table_of_nginx() -> None:
    sites = tuple(dataclasses.replace(_site(), host=f"n{number}.test") for number in range(1100))
    few, many = (
        render_tree.render_files(dataclasses.replace(desire(WILD), sites=some), ENVIRONMENT)["nginx.conf"]
        for some in (sites[:3], sites)
    )
    assert b"    map_hash_max_size 8192;\n" in many.partition(b"\nstream {")[2]
    assert b"map_hash_max_size" not in few.partition(b"\nstream {")[2]


def test_only_who_uses_it_pays_for_it() -> None:
    without, with_it = (render_tree.render_files(desire(one), ENVIRONMENT) for one in (PLAIN, PASSED))
    assert b"listen 443 ssl;" in without["listen/https.conf"]
    assert "listen/by-name.conf" not in without
    assert b"listen unix:/var/lib/daemun/run/to-sites.sock ssl;" in with_it["listen/https.conf"]
    assert b"listen 443;" in with_it["listen/by-name.conf"]
    actual = model.Actual(pid=1, generation=1, current_generation=1, files={})
    assert "0.0.0.0:443" not in listeners.find_untried(with_it, actual), "an address of the gate"


def test_without_the_modules_sites_keep_their_port() -> None:
    left = frozenset(render_environment.Feature) - {render_environment.Feature.STREAM_PREREAD}
    assembled = assembly.assemble_files(desire(PASSED), _environment(features=left), last_good={})
    assert b"listen 443 ssl;" in assembled.files["listen/https.conf"]
    assert "has no the names of handshakes in streams" in assembled.refused[0].cause


@pytest.mark.parametrize(
    ("arguments", "has_module", "is_there"),
    [
        (("--with-stream",), False, True),
        (("--with-stream=dynamic",), True, True),
        (("--with-stream=dynamic",), False, False),
        (("--with-stream", "--without-stream_upstream_zone_module"), False, False),
        ((), False, False),
    ],
)
def test_which_nginx_has_streams(arguments: tuple[str, ...], has_module: bool, is_there: bool) -> None:
    found = find_nginx.list_features(frozenset(arguments), has_stream_module=has_module)
    assert (render_environment.Feature.STREAM in found) is is_there
    with_tls = frozenset({*arguments, "--with-stream_ssl_module"})
    assert render_environment.Feature.STREAM_TLS not in found
    assert render_environment.Feature.STREAM_TLS in find_nginx.list_features(with_tls, has_stream_module=True)
