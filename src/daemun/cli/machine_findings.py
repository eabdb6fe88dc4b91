"""What `daemun doctor` finds out by itself: about the file, this machine and the state directory. Needs no daemon."""

import collections.abc
import errno
import pathlib
import shlex
import shutil
import ssl
import tempfile

from daemun import causes, errors, settings
from daemun.cli import truststores
from daemun.core import doctor_findings, layout, model, new_findings, render_environment
from daemun.core.rounds import merge
from daemun.nginx import address_trial, machine_limits, process, work_folder
from daemun.wiring import nginx_environment, nginx_exposure
from daemun.wiring.offline import checking, configuration

LITTLE_BYTES = 500 << 20
NOTHING_BYTES = 20 << 20
"""Then a new certificate or generation may not fit any more."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TRIED_BYTES = 8192

Findings = collections.abc.Iterator[model.Finding]


def look_at_file(chosen: settings.Settings) -> Findings:
    try:
        settings.check_config_exists(chosen)
    except errors.ConfigError as error:
        yield split(str(error), "config", model.Weight.WARNS)
        return
    found = checking.check(chosen)
    yield from doctor_findings.judge_problems(found)
    if not found:
        yield new_findings.good("config", f"{chosen.config} is good")


def look_at_nginx(chosen: settings.Settings) -> Findings:
    """The nginx that would run, and the ports that it would need."""
    try:
        binary = nginx_environment.choose_nginx(chosen)
    except errors.DaemunError as error:
        yield split(str(error), "nginx", model.Weight.BLOCKS)
        return
    yield new_findings.good("nginx", f"nginx {'.'.join(map(str, binary.version))} is at {binary.path}")
    if render_environment.Feature.POST_QUANTUM in binary.features:
        yield new_findings.good("nginx", "its key exchange is safe from quantum computers (X25519MLKEM768)")
    else:
        words = "its OpenSSL is older than 3.5, so its key exchange is X25519 alone, which quantum computers may break"
        yield new_findings.good("nginx", f"{words}; `daemun nginx list` shows one that has X25519MLKEM768")
    words = "who watches a line can read the names of sites in handshakes: Encrypted Client Hello (ECH) needs an"
    yield new_findings.good("nginx", f"{words} OpenSSL that no nginx known to daemun has (docs/nginx.md)")
    running = process.find_master(chosen.layout)
    if running is not None:
        yield new_findings.good(
            "nginx", f"nginx (process {running.pid}) goes on serving; the next `daemun up` adopts it"
        )
        return
    wanted = (configuration.read_if_good(chosen) or model.Desired(globals=model.Globals())).globals
    places = (*wanted.listen.http, *wanted.listen.https)
    for place in places:
        problem = address_trial.find_problem(place, binary=binary.path)
        if problem is not None:
            yield split(problem, "ports", model.Weight.BLOCKS)
        else:
            yield new_findings.good("ports", f"port {place} is free")


def look_at_weaknesses(chosen: settings.Settings) -> Findings:
    """The known ones of the nginx that serves, or would, with the configuration that runs or ran last."""
    exposure = nginx_exposure.look(chosen)
    if exposure is not None:
        yield from doctor_findings.judge_weaknesses(exposure.build, exposure.weaknesses)
        yield from nginx_exposure.judge_allocator(chosen, exposure.build)
        successor = nginx_exposure.find_successor(chosen) if exposure.serves else None
        if successor is not None:
            yield from doctor_findings.judge_successor(exposure.build, successor, is_replaced=exposure.is_replaced)


def look_at_disk(chosen: settings.Settings) -> Findings:
    """Whether the state directory, or the place where it will be made, can be written, and how much fits there; and
    the same of what of it has a disk of its own."""
    place = next(folder for folder in (chosen.state, *chosen.state.parents) if folder.is_dir())
    yield from _look_at_folder(f"the state directory {chosen.state}", place)
    for apart in work_folder.find_apart(layout.Layout(str(chosen.state))):
        yield from _look_at_folder(apart, pathlib.Path(apart))


def _look_at_folder(named: str, place: pathlib.Path) -> Findings:
    refused = _try_to_write(place)
    is_full = refused is not None and refused.errno in _FULL
    free = shutil.disk_usage(place).free
    if refused is None and free >= NOTHING_BYTES:
        yield new_findings.good("state", f"{named} can be written")
    elif refused is not None and not is_full:
        cure = f"{work_folder.find_cure(refused.errno, str(place))}, or choose another directory with --state DIR"
        words = causes.describe(refused)
        message = f"{named} cannot be written by this account: {words}"
        yield new_findings.blocks("state", message, cure)
    space = f"{free >> 20} MiB are free on the disk of {place}"
    if is_full:
        assert refused is not None
        words = causes.describe(refused)
        message = f"{named} cannot be written: {words} ({space})"
        cure = "free some space there (`df -h` shows it), or files where they are too many (`df -i`)"
        yield new_findings.blocks("disk", message, cure)
        return
    if free >= LITTLE_BYTES:
        yield new_findings.good("disk", space)
        return
    make = new_findings.warns if free >= NOTHING_BYTES else new_findings.blocks
    yield make("disk", space, "free some space there (`df -h` shows it)")


def _try_to_write(folder: pathlib.Path) -> OSError | None:
    """Why nothing can be written there; None: it can. Rights alone do not show a full or a read-only disk."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".daemun-", buffering=0) as file:
            file.write(bytes(_TRIED_BYTES))
    except OSError as error:
        return error
    return None


def look_at_trust(chosen: settings.Settings) -> Findings:
    """Whether this machine's programs trust the local authority; nothing when it was not made yet."""
    try:
        root = truststores.read_root(pathlib.Path(chosen.layout.root_certificate))
    except errors.EnvironmentProblemError:
        return
    bundle = machine_limits.find_ca_bundle()
    if bundle is not None and ssl.PEM_cert_to_DER_cert(root.pem.decode("ascii")) in _read_bundle(bundle):
        yield new_findings.good("trust", "this machine trusts its local authority")
        return
    message = "sites have certificates of the local authority, which this machine does not trust"
    # sudo makes another account of the user, with another state directory.
    state = [] if chosen.state == settings.SYSTEM_STATE else ["--state", str(chosen.state)]
    trust = shlex.join(["daemun", *state, "trust"])
    cure = f"`sudo {trust}` changes that here; `{trust} --print` shows how to do it on other machines"
    yield new_findings.warns("trust", message, cure)


def has_local_sites(chosen: settings.Settings) -> bool:
    desired = configuration.read_if_good(chosen)
    specs = merge.certificate_specs(desired) if desired is not None else ()
    return any(spec.mode is model.TlsMode.LOCAL for spec in specs)


def split(text: str, topic: str, weight: model.Weight) -> model.Finding:
    """A message of daemun's, "cannot VERB OBJECT: cause; what to do", as a finding."""
    message, _, cure = text.partition("; ")
    return model.Finding(topic=topic, weight=weight, message=message, cure=cure or "see docs/ or `daemun --help`")


def _read_bundle(path: str) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError):
        return []
    return context.get_ca_certs(binary_form=True)
