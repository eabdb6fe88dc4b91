"""What `daemun why` reads on the disk beside the file: what stands in the place of a static file, the local authority's
name, and what nginx logged meanwhile. Blocking."""

import pathlib
import stat

from cryptography import x509

from daemun import regular_files
from daemun.core import layout, model
from daemun.core.logged import error_line
from daemun.core.texts import route_paths
from daemun.core.why import requested_url, url_facts

_MOST_LOG = 1 << 18
_MOST_LINES = 20
_MOST_ROOT = 1 << 16


def look_at_file(route: model.Route | None, url: requested_url.RequestedUrl) -> url_facts.FileView | None:
    """None: the route serves no files."""
    if route is None or not isinstance(route.action, model.Files):
        return None
    prefix = route_paths.find_literal(route.path)
    rest = url.path if prefix is None else url.path.removeprefix(prefix)
    path = pathlib.Path(route.action.folder, rest.lstrip("/"))
    try:
        found = path.stat()
    except PermissionError:
        return url_facts.FileView(path=str(path), kind="file", is_readable=False)
    except (OSError, ValueError):  # also a path with a zero byte
        return url_facts.FileView(path=str(path), kind="nothing")
    kind = "folder" if stat.S_ISDIR(found.st_mode) else "file"
    return url_facts.FileView(path=str(path), kind=kind, is_readable=_is_readable(path, found.st_mode))


def _is_readable(path: pathlib.Path, mode: int) -> bool:
    """By every account: most files do not belong to nginx's workers."""
    wanted = stat.S_IXOTH | stat.S_IROTH if stat.S_ISDIR(mode) else stat.S_IROTH
    try:
        return mode & wanted == wanted and all(one.stat().st_mode & stat.S_IXOTH for one in path.parents)
    except OSError:
        return False


def read_local_issuer(paths: layout.Layout) -> str | None:
    """The name of the local authority; None: there is none yet."""
    try:
        data = regular_files.read(paths.root_certificate, _MOST_ROOT)
        found = x509.load_pem_x509_certificate(data).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except (OSError, ValueError):
        return None
    return str(found[0].value) if found else None


def log_size(paths: layout.Layout) -> int:
    """Of the error log, before a visit."""
    try:
        return _error_log(paths).stat().st_size
    except OSError:
        return 0


def read_errors(paths: layout.Layout, at: int, visits: tuple[url_facts.GateVisit, ...], method: str) -> tuple[str, ...]:
    """What nginx logged of the first visit, which it does before it answers. at: as of `log_size`."""
    answer = visits[0].answer if visits else None
    if not visits or (answer is not None and answer.status < 400 and not answer.is_cut):
        return ()
    try:
        with regular_files.open_for_reading(_error_log(paths)) as file:
            file.seek(at)
            written = file.read(_MOST_LOG).split(b"\n")
    except OSError:
        return ()
    url = visits[0].url
    wanted = (f'request: "{method} {url.sent} ', f'host: "{url.authority}"')
    own = error_line.OwnLines()
    texts = [line.decode("utf-8", "replace") for line in written if own.takes(line)]
    lines = (one for one in texts if all(part in one for part in wanted) and "request_id: " not in one)
    return tuple(lines)[:_MOST_LINES]


def _error_log(paths: layout.Layout) -> pathlib.Path:
    return pathlib.Path(paths.logs, "error.log")
