"""What nginx prints becomes values: versions, features, refusals, causes."""

import errno

import pytest

from daemun import errors
from daemun.control import nginx_port
from daemun.core import layout as layout_
from daemun.core import render_environment
from daemun.nginx import config_test, confirmation_socket, error_diagnosis, find_nginx

LAYOUT = layout_.Layout(state="/srv/gate")
Feature = render_environment.Feature

DEBIAN = """\
nginx version: nginx/1.27.4 (Debian)
built by gcc 14.2.0 (Debian 14.2.0-17)
built with OpenSSL 3.4.1 11 Feb 2025
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2 -fstack-protector-strong' --with-ld-opt=-Wl,-z,relro --with-http_ssl_module \
--with-http_v2_module --with-http_realip_module --without-http_scgi_module
"""


# --- nginx -V --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "version"),
    [
        (DEBIAN, (1, 27, 4)),
        ("nginx version: nginx/1.31.3\n", (1, 31, 3)),
        ("nginx version: nginx/1.27.4 (nginx-plus-r34)\n", (1, 27, 4)),
        ("nginx version: openresty/1.27.1.2\n", None),
        ("Angie version: Angie/1.8.1\n", None),
        ("", None),
    ],
)
def test_version(told: str, version: tuple[int, ...] | None) -> None:
    assert find_nginx.parse_version(told) == version


def test_arguments_keep_quoted_values_whole() -> None:
    arguments = find_nginx.parse_arguments(DEBIAN)
    assert "--with-cc-opt=-g -O2 -fstack-protector-strong" in arguments
    assert "--with-http_ssl_module" in arguments
    assert find_nginx.parse_arguments("nginx version: nginx/1.27.4\nconfigure arguments:\n") == frozenset()


def test_features_follow_the_arguments() -> None:
    expected = {Feature.HTTP_V2, Feature.REALIP, Feature.GRPC, Feature.FASTCGI, Feature.UWSGI, Feature.MEMCACHED}
    expected |= {Feature.LIMIT_CONN, Feature.LIMIT_REQ, Feature.ACCESS}
    assert find_nginx.list_features(find_nginx.parse_arguments(DEBIAN)) == expected


def test_grpc_needs_http_v2() -> None:
    assert Feature.GRPC not in find_nginx.list_features(frozenset({"--with-http_ssl_module"}))
    assert Feature.GRPC not in find_nginx.list_features(
        frozenset({"--with-http_v2_module", "--without-http_grpc_module"})
    )


def test_missing_modules_are_named() -> None:
    assert find_nginx.find_missing(find_nginx.parse_arguments(DEBIAN)) == []
    assert find_nginx.find_missing(frozenset({"--without-http_map_module"})) == ["http_ssl", "http_map"]


# --- nginx -t --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "failure"),
    [
        (
            'nginx: [emerg] unknown directive "foo" in /srv/gate/nginx/gen/7/sites/a.example.com.conf:12\n'
            "nginx: configuration file /srv/gate/nginx/gen/7/nginx.conf test failed\n",
            nginx_port.TestFailure(message='unknown directive "foo"', file="sites/a.example.com.conf", line=12),
        ),
        (
            '2026/11/23 02:01:02 [warn] 7#7: conflicting server name "a" on 0.0.0.0:80, ignored\n'
            '2026/11/23 02:01:02 [emerg] 7#7: unknown "foo" variable\n',
            nginx_port.TestFailure(message='unknown "foo" variable'),
        ),
        (
            'nginx: [emerg] invalid number of arguments in "root" directive in /etc/mine.conf:3\n',
            nginx_port.TestFailure(
                message='invalid number of arguments in "root" directive', file="/etc/mine.conf", line=3
            ),
        ),
        (
            'nginx: [emerg] open() "/etc/nothing" failed (2: No such file or directory) in '
            "/srv/gate/nginx/gen/7/nginx.conf:4\n",
            nginx_port.TestFailure(
                message='open() "/etc/nothing" failed (2: No such file or directory)', file="nginx.conf", line=4
            ),
        ),
        ("Segmentation fault\n", nginx_port.TestFailure(message="Segmentation fault")),
    ],
)
def test_refusal_keeps_the_words_and_finds_the_place(output: str, failure: nginx_port.TestFailure) -> None:
    assert config_test.translate_refusal(output, "/srv/gate/nginx/gen/7") == failure


@pytest.mark.parametrize(
    ("words", "is_outside"),
    [
        ('host not found in "late.example.com" of the "set_real_ip_from" directive', True),
        ('host not found in upstream "late" in /x.conf:3', True),
        ('open() "/srv/late.conf" failed (2: No such file or directory)', True),
        ('open() "/srv/late.conf" failed (13: Permission denied)', True),
        ('cannot load certificate "/srv/a.pem": BIO_new_file() failed (SSL: error:80000002:system library)', True),
        ('unknown directive "foo"', False),
        ('invalid value "lots" in "client_max_body_size" directive', False),
        ('a duplicate location "/" in /x.conf:3', False),
    ],
)
def test_what_is_outside_the_configuration_may_pass(words: str, is_outside: bool) -> None:
    assert error_diagnosis.may_pass(words) == is_outside


# --- the machine -----------------------------------------------------------------------------------------------


def test_a_command_can_be_copied_whatever_the_path() -> None:
    text = f"nginx: [emerg] bind() to 0.0.0.0:80 failed ({errno.EACCES}: Permission denied)\n"
    problem = error_diagnosis.machine_problem(text, binary="/home/me/dae mun/nginx", paths=LAYOUT)
    assert problem is not None
    assert "setcap cap_net_bind_service=+ep '/home/me/dae mun/nginx'`" in str(problem)


def machine_problem(words: str) -> errors.EnvironmentProblemError | None:
    return error_diagnosis.machine_problem(f"nginx: [emerg] {words}\n", binary="/usr/sbin/nginx", paths=LAYOUT)


@pytest.mark.parametrize(
    ("words", "cause", "way"),
    [
        (
            f"bind() to 0.0.0.0:80 failed ({errno.EACCES}: Permission denied)",
            "cannot listen on 0.0.0.0:80: this account has no right to use port 80",
            "setcap cap_net_bind_service=+ep /usr/sbin/nginx",
        ),
        (
            f"bind() to [::]:443 failed ({errno.EACCES}: Permission denied)",
            "cannot listen on [::]:443: this account has no right to use port 443",
            "ip_unprivileged_port_start=80",
        ),
        (
            f"bind() to 192.0.2.7:80 failed ({errno.EADDRNOTAVAIL}: Address not available)",
            "cannot listen on 192.0.2.7:80: this machine has no such address",
            "`ip address`",
        ),
        (
            f"socket() [::]:80 failed ({errno.EAFNOSUPPORT}: Address family not supported by protocol)",
            "cannot listen on [::]:80: this machine's IPv6 is switched off",
            "0.0.0.0:80",
        ),
        (
            f'mkdir() "/srv/gate/run/temp/proxy" failed ({errno.EACCES}: Permission denied)',
            "cannot write /srv/gate/run/temp/proxy: Permission denied",
            "--state DIR",
        ),
        (
            f'open() "/var/log/mine.log" failed ({errno.ENOSPC}: No space left on device)',
            "cannot write /var/log/mine.log: No space left on device",
            "df -h",
        ),
        (
            f"pwrite() failed ({errno.ENOSPC}: No space left on device)",
            "cannot run nginx: pwrite() failed",
            "df -h",
        ),
        (
            f'open() "/srv/gate/nginx/gen/1/sites" failed ({errno.EMFILE}: Too many open files)',
            "cannot run nginx:",
            "LimitNOFILE",
        ),
        ('getpwnam("daemun") failed in /srv/gate/nginx/gen/1/nginx.conf:1', 'getpwnam("daemun")', "`user:`"),
        (
            f"bind() to unix:/run/x.sock failed ({errno.EADDRINUSE}: Address in use)",
            "cannot listen on unix:/run/x.sock: it is in use",
            "stop that program",
        ),
    ],
)
def test_machine_problems_have_a_cause_and_a_way_out(words: str, cause: str, way: str) -> None:
    problem = machine_problem(words)
    assert problem is not None
    assert cause in str(problem)
    assert way in str(problem)


@pytest.mark.parametrize(
    "words",
    [
        'unknown directive "foo" in /srv/gate/nginx/gen/1/nginx.conf:1',
        f'open() "/root/private.log" failed ({errno.EACCES}: Permission denied)',
        f'open() "/etc/nothing" failed ({errno.ENOENT}: No such file or directory)',
    ],
)
def test_a_mistake_in_the_configuration_is_not_the_machines(words: str) -> None:
    assert machine_problem(words) is None


def test_os_errors_name_the_way_out() -> None:
    problem = error_diagnosis.os_problem(
        "write x", OSError(errno.ENOSPC, "No space left on device", "/srv/gate/nginx/gen")
    )
    assert str(problem).startswith("cannot write x: /srv/gate/nginx/gen: No space left on device; free some space")
    problem = error_diagnosis.os_problem("write x", OSError(errno.EROFS, "Read-only file system"))
    assert str(problem) == (
        "cannot write x: Read-only file system; choose a state directory that can be written with --state DIR"
    )


# --- the error log after a reload ------------------------------------------------------------------------------

RETRIED = f"2026/11/23 02:01:02 [emerg] 10#10: bind() to 127.0.0.1:80 failed ({errno.EADDRINUSE}: Address in use)\n"


def test_a_port_that_is_tried_again_is_no_refusal_yet() -> None:
    assert confirmation_socket.find_refusal(RETRIED * 3, master=10, before=frozenset()) is None
    given_up = RETRIED * 5 + "2026/11/23 02:01:05 [emerg] 10#10: still could not bind()\n"
    assert confirmation_socket.find_refusal(
        given_up, master=10, before=frozenset()
    ) == confirmation_socket.GenerationRefusal(words=given_up, master_went_on=True)


def test_other_lines_are_no_refusal() -> None:
    text = "2026/11/23 02:01:02 [notice] 10#10: signal 1 (SIGHUP) received\nnot of nginx [emerg]\n"
    assert confirmation_socket.find_refusal(text, master=10, before=frozenset()) is None


def test_an_old_worker_cannot_refuse_and_a_new_one_leaves_the_master_changed() -> None:
    text = "2026/11/23 02:01:02 [emerg] 11#11: setrlimit failed\n"
    assert confirmation_socket.find_refusal(text, master=10, before=frozenset({11})) is None
    assert confirmation_socket.find_refusal(
        text, master=10, before=frozenset()
    ) == confirmation_socket.GenerationRefusal(words=text)


def test_patience_grows_with_the_sites() -> None:
    assert confirmation_socket.timeout_s(0) == 30
    assert confirmation_socket.timeout_s(5000) == 35
