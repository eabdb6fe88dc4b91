"""Presets of applications: their files, and what they set beneath the keys of a site."""

import dataclasses
import pathlib
import re
import typing

import pytest

from daemun import package_data
from daemun.cli import app_offers, app_texts
from daemun.cli.commands import plan
from daemun.core import model
from daemun.core.options import (
    access_option,
    app_option,
    header_options,
    health_option,
    host_header_option,
    max_body_option,
    timeout_option,
)
from daemun.core.plan import change_plan
from daemun.errors import ConfigError
from daemun.sources import app_paths, app_preset, known_apps, yaml_edit, yaml_file
from daemun.sources.docker import label_options
from scripts import app_table
from tests.support import docker_values as values

NAMES = package_data.list_names(known_apps.FOLDER, ".yaml")
PRESETS = [known_apps.built_in(name) for name in NAMES]


def parse(text: str, **own: str) -> model.Snapshot:
    files = [known_apps.OwnFile(name=f"{name}.yaml", content=content.encode()) for name, content in own.items()]
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/x", apps=known_apps.KnownApps(files))


def one(text: str, **own: str) -> model.Site:
    found = parse(f"sites:\n  a.test: {text}\n", **own)
    assert found.problems == ()
    (site,) = found.sites
    return site


def messages(text: str, **own: str) -> list[str]:
    return [f"{item.severity.value}: {item}" for item in parse(f"sites:\n  a.test: {text}\n", **own).problems]


def route(site: model.Site, path: str = "/") -> model.Route:
    return next(item for item in site.routes if item.path == path)


# --- the files that daemun brings ------------------------------------------------------------------------------


def test_forty_applications() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_file_is_complete(preset: app_preset.Preset) -> None:
    assert preset.title
    assert preset.source.startswith("https://")
    assert preset.port is not None
    assert preset.settings
    assert preset.images
    assert [image for image in preset.images if app_preset.find_repository(image) != image] == []
    assert not any("{" in text for text in preset.settings_for("a.test") if "{host}" in text)
    assert set(preset.options) <= label_options.ROUTE_OPTIONS, "what no label may set"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_file_is_good_for_a_site_and_a_container(preset: app_preset.Preset) -> None:
    site = one(f"{{app: {preset.name}, routes: {{/: 'http://127.0.0.1:1'}}}}")
    on_route = one(f"{{/: {{to: 'http://127.0.0.1:1', app: {preset.name}}}}}")
    assert [item.path for item in site.routes] == [item.path for item in on_route.routes]
    container = values.container(labels={"daemun.host": "a.test", "daemun.app": preset.name})
    found = values.snapshot(container)
    assert found.problems == ()
    assert {item.path for item in found.sites[0].routes} == {item.path for item in site.routes}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_health_path_names_where_it_is_found(preset: app_preset.Preset) -> None:
    """A wrong one takes a site down, so each names the file or page of the application that has it."""
    lines = package_data.read_bytes(f"{known_apps.FOLDER}/{preset.name}.yaml").decode().split("\n")
    found = [line for line in lines if line.startswith("  health:")]
    assert len(found) == (health_option.OPTION.name in preset.options)
    assert [line for line in found if not re.search(r"  # \S*[./]\S", line)] == []


def test_no_image_is_of_two_applications() -> None:
    images = [image for preset in PRESETS for image in preset.images]
    assert len(images) == len(set(images))


def test_each_is_found_by_each_of_its_images() -> None:
    found = {image: known_apps.find_by_image(f"ghcr.io/{image}:1.2") for preset in PRESETS for image in preset.images}
    assert {image: one.name if one else None for image, one in found.items()} == {
        image: preset.name for preset in PRESETS for image in preset.images
    }


def test_no_preset_is_read_for_an_image_that_none_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them take 0.15 s of a start."""
    monkeypatch.setattr(known_apps, "built_in", lambda name: pytest.fail(f"{name} was read"))
    assert known_apps.find_by_image("registry.example/our/shop:1") is None


# --- beneath the keys of a site --------------------------------------------------------------------------------


def test_what_a_site_gets() -> None:
    site = one("{app: nextcloud, routes: {/: 'http://127.0.0.1:1', /x/: 'http://127.0.0.1:2'}}")
    assert app_option.find(site) == "nextcloud"
    for path in ("/", "/x/"):
        assert max_body_option.OPTION.of(route(site, path)) == 512 << 20
        assert timeout_option.OPTION.of(route(site, path).action).body_s == 300
    redirect = route(site, "= /.well-known/carddav").action
    assert isinstance(redirect, model.Redirect)
    assert redirect.to == "/remote.php/dav/"


def test_own_keys_win() -> None:
    site = one(
        "{app: nextcloud, routes: {/: {to: 'http://127.0.0.1:1', max_body: 1g}, "
        "/config/: 'http://127.0.0.1:2', /other/: {to: 'http://127.0.0.1:3', app: none}}}"
    )
    assert max_body_option.OPTION.of(route(site)) == 1 << 30
    assert isinstance(route(site, "/config/").action, model.Proxy)
    assert max_body_option.OPTION.of(route(site, "/other/")) == 0


def test_it_lies_above_the_defaults_of_the_file() -> None:
    text = "defaults: {max_body: 1m, timeout: 9s}\nsites: {a.test: {app: jellyfin, routes: {/: 'http://127.0.0.1:1'}}}"
    (site,) = parse(text).sites
    assert max_body_option.OPTION.of(route(site)) == 20 << 20
    assert timeout_option.OPTION.of(route(site).action).read_s == 9


def test_no_limit_of_a_body_is_one_too() -> None:
    text = "defaults: {max_body: 1m}\nsites: {a.test: {app: minio, routes: {/: 'http://127.0.0.1:1'}}}"
    (site,) = parse(text).sites
    assert max_body_option.OPTION.of(route(site)) == 0


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("{X-Own: a}", {"X-Content-Type-Options": "nosniff", "X-Own": "a"}),
        ("{x-content-type-options: }", {"x-content-type-options": ""}),
    ],
)
def test_headers_add_up_and_those_of_the_site_win(own: str, expected: dict[str, str]) -> None:
    at_site = one(f"{{app: jellyfin, response_headers: {own}, routes: {{/: 'http://127.0.0.1:1'}}}}")
    assert dict(header_options.RESPONSE.of(at_site)) == expected
    assert header_options.RESPONSE.of(route(at_site)) == ()
    at_route = one(f"{{/: {{to: 'http://127.0.0.1:1', app: jellyfin, response_headers: {own}}}}}")
    assert dict(header_options.RESPONSE.of(route(at_route))) == expected


@pytest.mark.parametrize("target", ["http://unix:/run/app.sock", "fastcgi://127.0.0.1:9000"])
def test_what_cannot_be_requested_has_no_health_check(target: str) -> None:
    site = one(f"{{app: grafana, routes: {{/: '{target}'}}}}")
    assert health_option.OPTION.of(route(site).action) is None


def test_answers_belong_to_the_application_behind_the_root() -> None:
    below = one("{/: 'http://127.0.0.1:1', /cloud/: {to: 'http://127.0.0.1:2', app: nextcloud}}")
    assert {item.path for item in below.routes if isinstance(item.action, model.Proxy)} == {"/", "/cloud/"}
    assert not [item.path for item in below.routes if "well-known" in item.path], "that is for the root of a host"
    other = one("{app: nextcloud, routes: {/: {to: 'http://127.0.0.1:1', app: pihole}}}")
    assert [item.path for item in other.routes] == ["/", "= /"]
    none = one("{app: nextcloud, routes: {/: {to: 'http://127.0.0.1:1', app: none}}}")
    assert [item.path for item in none.routes] == ["/"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{app: nextclod, routes: {/: 'http://127.0.0.1:1'}}",
            'error: daemun.yaml:2:17: site "a.test", app: "nextclod" is no known application; '
            'did you mean "nextcloud"?',
        ),
        (
            "{/: {to: 'http://127.0.0.1:1', app: zzz}}",
            'error: daemun.yaml:2:47: site "a.test", route "/", app: "zzz" is no known application; '
            "`daemun apps` lists them",
        ),
        (
            "{app: [a], routes: {/: 'http://127.0.0.1:1'}}",
            'error: daemun.yaml:2:12: site "a.test", app: expected text, found a list',
        ),
        (
            "{app: '../x', routes: {/: 'http://127.0.0.1:1'}}",
            'error: daemun.yaml:2:17: site "a.test", app: expected the name of an application, such as nextcloud, '
            'found the text "../x"',
        ),
        (
            "{app: jellyfin, routes: {/: {to: 'http://127.0.0.1:1', max_body: 20m}}}",
            'warning: daemun.yaml:2:76: site "a.test", route "/", max_body: is what `app: jellyfin` sets anyway; '
            "leave one of them out",
        ),
        (
            "{app: jellyfin, routes: {/: {files: /srv}}}",
            'warning: daemun.yaml:2:17: site "a.test", app: has no effect: no route leads to a server',
        ),
        (
            "{/: {redirect: 'https://b.test', app: jellyfin}}",
            'error: daemun.yaml:2:49: site "a.test", route "/", app: has a meaning only beside `to`',
        ),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    assert messages(text)[0].replace("keep: ", "") == expected


# --- the owner's files -----------------------------------------------------------------------------------------

MINE = "title: Mine\ndefaults: {max_body: 7m}\nroutes: {/admin/: {deny: true}}\n"


def test_an_own_preset_and_one_in_place_of_ours() -> None:
    site = one("{app: mine, routes: {/: 'http://127.0.0.1:1'}}", mine=MINE)
    assert max_body_option.OPTION.of(route(site)) == 7 << 20
    assert isinstance(route(site, "/admin/").action, model.Respond)
    site = one("{app: nextcloud, routes: {/: 'http://127.0.0.1:1'}}", nextcloud=MINE)
    assert max_body_option.OPTION.of(route(site)) == 7 << 20


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "apps/mine.yaml:1:1: the file is empty; expected a map with `title`"),
        ("[", "apps/mine.yaml:1:"),
        ("title: [x]", "apps/mine.yaml:1:1: title: expected text, found a list"),
        ("titel: x", 'apps/mine.yaml:1:1: unknown key "titel": did you mean "title"? expected one of'),
        ("title: x\nport: 70000", "apps/mine.yaml:2:7: port: "),
        ("title: x\ndefaults: {access: public}", 'apps/mine.yaml:2:12: defaults: unknown key "access"'),
        ("title: x\ndefaults: {verify: a.pem}", 'apps/mine.yaml:2:12: defaults: unknown key "verify"'),
        ("title: x\ndefaults: {max_body: -}", "apps/mine.yaml:2:"),
        ("title: x\nroutes: {x: {deny: true}}", 'apps/mine.yaml:2:10: route "x" is no path'),
        ("title: x\nroutes: {/x: http://a}", 'apps/mine.yaml:2:10: route "/x" needs one of `redirect`'),
        ("title: x\nroutes: {/x: {files: /etc}}", 'apps/mine.yaml:2:10: route "/x" needs one of `redirect`'),
        ("title: x\nroutes: {/x: {respond: {file: /etc/passwd}}}", 'apps/mine.yaml:2:10: route "/x" cannot have'),
        ("title: x\nroutes: {/x: {deny: true, nginx: 'a b;'}}", 'apps/mine.yaml:2:10: route "/x" cannot have'),
        (
            "title: x\nroutes: {/x: {redirect: /y, access: public}}",
            'apps/mine.yaml:2:10: route "/x" cannot say who may come in, or when',
        ),
        ("a: &a [1]\nb: [*a, *a]\ntitle: \x00", "apps/mine.yaml:3:8: holds the character U+0000"),
        ("x" * (app_preset.MAX_BYTES + 1), "apps/mine.yaml: is too large"),
    ],
)
def test_a_bad_file_is_told_where_it_is_named(content: str, fault: str) -> None:
    (found,) = [
        text for text in messages("{app: mine, routes: {/: 'http://127.0.0.1:1'}}", mine=content) if "app: " in text
    ]
    assert found.startswith(f'error: daemun.yaml:2:17: site "a.test", app: "mine" cannot be used: {fault}'), found


@pytest.mark.parametrize("secret", ["s3cret-of-the-owner"])
def test_a_variable_is_in_no_message(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("MY_SECRET", secret)
    found = messages(
        "{app: mine, routes: {/: 'http://127.0.0.1:1'}}", mine="title: x\ndefaults: {max_body: '${MY_SECRET}'}"
    )
    assert found
    assert secret not in str(found)


def test_the_folder_beside_the_file(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text("sites: {a.test: {app: mine, routes: {/: 'http://127.0.0.1:1'}}}\n")
    source = yaml_file.YamlFile(file)
    with pytest.raises(ConfigError, match='"mine" is no known application'):
        source.read_now()
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "mine.yaml").write_text(MINE)
    assert source.read_now().problems == ()
    for name, content in (("Bad Name.yaml", MINE), ("other.yml", MINE), ("broken.yaml", "titel: x"), (".x.yaml", "[")):
        (tmp_path / "apps" / name).write_text(content)
    (tmp_path / "apps" / "sub.yaml").mkdir()
    found = [str(item) for item in source.read_now().problems]
    assert [text.partition(":")[0] for text in sorted(found)] == [
        "apps/Bad Name.yaml",
        "apps/broken.yaml",
        "apps/other.yml",
        "apps/sub.yaml",
    ]
    (tmp_path / "apps" / "mine.yaml").write_text(MINE.replace("7m", "8m"))
    (site,) = source.read_now().sites
    assert max_body_option.OPTION.of(route(site)) == 8 << 20


# --- containers ------------------------------------------------------------------------------------------------


def labelled(labels: dict[str, str], image: str = "") -> model.Snapshot:
    container = dataclasses.replace(values.container(labels={"daemun.host": "a.test", **labels}), image=image)
    return values.snapshot(container)


def test_own_labels_win() -> None:
    found = labelled({"daemun.app": "nextcloud", "daemun.max_body": "1g", "daemun.x.path": "/config/"})
    (site,) = found.sites
    assert max_body_option.OPTION.of(route(site)) == 1 << 30
    assert isinstance(route(site, "/config/").action, model.Proxy)
    assert isinstance(route(site, "/data/").action, model.Respond)


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        (
            {"daemun.app": "nextclod"},
            'label "daemun.app": "nextclod" is no known application; did you mean "nextcloud"?',
        ),
        ({"daemun.app": "../../etc"}, 'label "daemun.app": expected the name of an application'),
        ({"daemun.app": "jellyfin", "daemun.redirect": "https://b.test"}, 'label "daemun.app": has no meaning'),
    ],
)
def test_labels_that_are_wrong(labels: dict[str, str], fault: str) -> None:
    found = labelled(labels)
    assert found.sites == ()
    assert fault in found.problems[0].message


def test_an_application_on_another_path_is_closed_there() -> None:
    (site,) = labelled({"daemun.app": "nextcloud", "daemun.path": "/cloud/"}).sites
    assert site.routes[0].path == "/cloud/"
    closed = {item.path for item in site.routes[1:]}
    assert "/cloud/config/" in closed and not [path for path in closed if "well-known" in path]


def test_a_container_whose_closed_paths_cannot_be_written_is_not_served() -> None:
    """An expression has no room for a prefix of any length."""
    found = labelled({"daemun.app": "wordpress", "daemun.path": f"/{'ä.' * 500}/"})
    assert found.sites == ()
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nextcloud", "nextcloud"),
        ("nextcloud:29-apache", "nextcloud"),
        ("docker.io/library/nextcloud@sha256:0000", "nextcloud"),
        ("ghcr.io/immich-app/immich-server:v1.2", "immich"),
        ("localhost:5000/jellyfin/jellyfin", "jellyfin"),
        ("codeberg.org/forgejo/forgejo:11", "forgejo"),
        ("me/nextcloud", None),
        ("", None),
        (":@/:", None),
    ],
)
def test_which_application_an_image_is_of(image: str, name: str | None) -> None:
    found = known_apps.find_by_image(image)
    assert (None if found is None else found.name) == name
    assert labelled({}, image).containers[0].app == name
    assert labelled({"daemun.app": "none"}, image).containers[0].app is None


# --- what people see -------------------------------------------------------------------------------------------


def answer(**changes: typing.Any) -> dict[str, typing.Any]:
    path = {"kind": "proxy", "to": ["http://nextcloud:80"], "app": None}
    site = {"host": "a.test", "source": "file", "app": None, "routes": [path], **changes}
    return {"sites": [site], "containers": [{"name": "c", "app": "jellyfin"}, {"name": "d", "app": None}]}


def test_offers() -> None:
    of_container, of_site = app_offers.lines_of(answer(), NAMES)
    assert "daemun.app=jellyfin" in of_container
    assert "`daemun apps show nextcloud a.test`" in of_site
    assert len(app_offers.lines_of(answer(app="none"), NAMES)) == 1
    assert len(app_offers.lines_of(answer(source="docker"), NAMES)) == 1
    many = {"sites": answer()["sites"] * 9, "containers": []}
    assert app_offers.lines_of(many, NAMES)[5:] == ["and 4 more sites or containers of known applications"]


def test_what_is_shown() -> None:
    lines = app_texts.lines_of(known_apps.built_in("synapse"), "m.test")
    assert "  max_body: 50m" in lines
    assert "  /_synapse/admin: {deny: true}" in lines
    assert any("https://m.test/" in line for line in lines)
    assert "set in the gate: nothing" in app_texts.lines_of(known_apps.built_in("rabbitmq"))


def test_added_by_command(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    yaml_edit.add_route(file, "a.test", "http://127.0.0.1:1", app="ollama")
    written = file.read_bytes()
    assert yaml_edit.add_route(file, "a.test", "http://127.0.0.1:1", app="ollama") == written
    (site,) = yaml_file.read_snapshot(file).sites
    assert host_header_option.OPTION.of(route(site).action) == "localhost:11434"
    with pytest.raises(ConfigError, match="already has a route"):
        yaml_edit.add_route(file, "a.test", "http://127.0.0.1:1", app="jellyfin")
    with pytest.raises(ConfigError, match="no known application"):
        yaml_edit.add_route(file, "b.test", "http://127.0.0.1:1", app="olama")
    with pytest.raises(ConfigError, match="is for a server"):
        yaml_edit.add_route(file, "b.test", str(tmp_path), app="ollama")
    assert file.read_bytes() == written


def test_no_preset_says_who_may_come_in() -> None:
    assert access_option.OPTION not in app_preset.OPTIONS


def test_the_document_has_every_application() -> None:
    text = app_table.FILE.read_text()
    assert app_table.written(text) == text, "run: .venv/bin/python -m scripts.app_table"


def test_with_several_routes_of_one_path() -> None:
    canary = "{to: 'http://127.0.0.1:2', when: {cookie: {new: '1'}}}"
    site = one(f"{{app: nextcloud, routes: {{/: [{canary}, 'http://127.0.0.1:1']}}}}")
    roots = [item for item in site.routes if item.path == "/"]
    assert [max_body_option.OPTION.of(item) for item in roots] == [512 << 20] * 2
    assert isinstance(route(site, "/data/").action, model.Respond)


def test_a_plan_shows_what_is_set() -> None:
    site = one("{app: synapse, routes: {/: 'http://127.0.0.1:1', /x/: {to: 'http://127.0.0.1:2', app: none}}}")
    desired = model.Desired(globals=model.Globals(), sites=(site,))
    (change,), _ = change_plan.diff_files(desired, {change_plan.site_file("a.test"): b"a;\n"}, {})
    assert change.apps == ("synapse",)
    report = {"changes": [{"host": "a.test", "kind": "added", "apps": ["synapse"]}], "reload": True, "steps": []}
    texts = {"synapse": app_texts.sets(known_apps.built_in("synapse"))}
    assert plan.lines_of({**report, "problems": [], "streams": []}, texts)[:2] == [
        "+ a.test",
        "    app synapse sets, beneath the site's own keys: max_body: 50m, health: /health, answers at /_synapse/admin",
    ]


# --- below a prefix --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "prefix", "is_replaced", "expected"),
    [
        ("/data/", "/cloud/", False, ["/cloud/data/"]),
        ("/data/", "/cloud", False, ["/cloud/data/"]),
        ("/data/", "/cloud", True, ["/cloud/data/", "/clouddata/"]),
        ("/data/", "/cloud/", True, ["/cloud/data/"]),
        ("= /x", "/a.b/", False, ["= /a.b/x"]),
        ("*.{sql,bak}", "/a.b/", False, [r"~* ^/a\.b(?=/).*(?:\.(?:sql|bak)$)"]),
        ("~ ^/x/|^/y", "/a/", False, ["~ ^/a(?=/)(?:/x/|/y)"]),
        ("~ ^/x/", "/a", True, ["~ ^/a/?x/"]),
        ("~* /up/.*[.]php$", "/a/", False, ["~* ^/a(?=/).*(?:/up/.*[.]php$)"]),
        ("~* /up/.*[.]php$", "/a", True, ["~* ^/a(?:.*/)?up/.*[.]php$"]),
    ],
)
def test_a_closed_path_is_placed(written: str, prefix: str, is_replaced: bool, expected: list[str]) -> None:
    assert list(app_paths.place(written, prefix, is_replaced=is_replaced)) == expected


def test_a_closed_path_that_cannot_be_placed_is_reported() -> None:
    own = "title: Mine\nroutes:\n  ~ (?:^/x|/y): {deny: true}\n"
    (message,) = messages("{/: 'http://a', /mine/: {to: 'http://a', app: mine}}", mine=own)
    assert message == (
        'error: daemun.yaml:2:57: site "a.test", route "/mine/", app: closes "~ (?:^/x|/y)", which cannot be written '
        'below "/mine/": it has "^" in one of several places; write it at the start of each'
    )


def closed(text: str) -> list[str]:
    return [item.path for item in one(text).routes if isinstance(item.action, model.Respond)]


def test_which_routes_lead_to_an_application_of_their_own() -> None:
    assert closed("{/: 'http://a', /m/: {to: 'http://b', app: synapse}}") == ["/m/_synapse/admin"]
    assert closed("{app: synapse, routes: {/m/: 'http://b'}}") == ["/m/_synapse/admin"]
    around = "{app: synapse, routes: {/: 'http://a', "
    assert closed(around + "/m/: 'http://b'}}") == ["/_synapse/admin"], "a part of it at another server"
    assert closed(around + "/m/: {to: 'http://a', app: synapse}}}") == ["/_synapse/admin"], "a part of it"
    second = closed(around + "/m/: {to: 'http://b', app: synapse}}}")
    assert second == ["/_synapse/admin", "/m/_synapse/admin"]


def test_a_container_below_a_prefix() -> None:
    labels = {"daemun.host": "a.test", "daemun.path": "/m/", "daemun.app": "synapse"}
    (site,) = values.snapshot(values.container(labels=labels)).sites
    assert {item.path for item in site.routes} == {"/m/", "/m/_synapse/admin"}
