"""Checks the configuration file without a daemon (`daemun check`)."""

import collections.abc
import dataclasses
import pathlib
import tempfile
import typing

from cryptography import x509

from daemun import regular_files, settings
from daemun.certs.served import bundle, own_files
from daemun.control import quarantine_staging
from daemun.core import model, problem_report
from daemun.core.certificates import certificate_faults
from daemun.core.options import login_option, maintenance_option
from daemun.core.rounds import assembly, merge, outcome
from daemun.errors import ConfigError, DaemunError, EnvironmentProblemError
from daemun.judge.providers import provider_roots
from daemun.nginx import nginx_server
from daemun.wiring import clock, nginx_environment
from daemun.wiring.offline import configuration, rendering, run_async

RunTest = collections.abc.Callable[
    [collections.abc.Coroutine[typing.Any, typing.Any, tuple[model.Problem, ...]]], tuple[model.Problem, ...]
]


def check(chosen: settings.Settings) -> tuple[model.Problem, ...]:
    """Every problem of the file, also those only nginx finds in hand-written nginx. Touches nothing that runs."""
    return look(chosen)[0]


def look(chosen: settings.Settings) -> tuple[tuple[model.Problem, ...], model.Desired | None]:
    """The same, and what the file says; None: it cannot be read."""
    try:
        desired = configuration.read(chosen, reads_secrets=True)
    except ConfigError as error:
        return getattr(error, "problems", ()) or (_problem(error),), None
    return find_problems(chosen, desired), desired


def find_problems(
    chosen: settings.Settings, desired: model.Desired, *, run: RunTest = run_async.run
) -> tuple[model.Problem, ...]:
    """The same of a configuration that was read. run: waits for nginx's test."""
    if any(problem.severity is model.Severity.ERROR for problem in desired.problems):
        return desired.problems
    # In nginx-proxy's place almost everything comes from containers, so "good" alone would be too much.
    unseen = configuration.unseen(chosen, desired) if desired.globals.like_nginx_proxy else ()
    found = (*desired.problems, *unseen, *_read_certificates(chosen, desired), *_read_provider_roots(desired))
    found = (*found, *_find_over(desired))
    return (*found, *_test_files(chosen, desired, run))


def _find_over(desired: model.Desired) -> tuple[model.Problem, ...]:
    """Sites whose maintenance has ended by itself."""
    now = clock.SystemClock().now()
    found: list[model.Problem] = []
    for site in desired.sites:
        report = problem_report.ProblemReport(host=site.host, origin=site.origin)
        report.add(maintenance_option.find_over(site, now), "maintenance", severity=model.Severity.WARNING)
        found += report.problems
    return tuple(found)


def _read_provider_roots(desired: model.Desired) -> tuple[model.Problem, ...]:
    """What the files hold that identity providers are trusted by."""
    login = login_option.OPTION.of(desired.globals)
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    for index, one in enumerate(login.providers if login is not None else ()):
        try:
            provider_roots.read(one.ca_file or "")
        except ConfigError as error:
            report.add(str(error), "login", "providers", index, "ca_file")
    return tuple(report.problems)


def _read_certificates(chosen: settings.Settings, desired: model.Desired) -> tuple[model.Problem, ...]:
    """What is wrong with the owner's certificate files, as the daemon would report it."""
    now = clock.SystemClock().now()
    trusted = _read_root(pathlib.Path(chosen.layout.root_certificate))
    problems: list[model.Problem] = []
    for spec in merge.certificate_specs(desired):
        if spec.mode is model.TlsMode.FILES:
            try:
                found = own_files.read(spec)
                own_files.check_loads(found)
                problems += own_files.find_faults(found, spec, now, trusted=trusted)
            except bundle.BundleError as error:
                problems.append(own_files.make_problem(spec, str(error)))
    return certificate_faults.place(problems, desired.sites)


def _read_root(path: pathlib.Path) -> tuple[x509.Name, ...]:
    """The name of the local CA's root; empty where no daemun made one."""
    try:
        return (x509.load_pem_x509_certificate(regular_files.read(path)).subject,)
    except (OSError, ValueError):
        return ()


def _test_files(chosen: settings.Settings, desired: model.Desired, run: RunTest) -> tuple[model.Problem, ...]:
    """nginx's verdict on the whole configuration, tested in a folder of its own. A machine that lacks something
    (nginx, a right to port 80) is not a problem of the file."""
    try:
        binary = nginx_environment.choose_nginx(chosen)
        with tempfile.TemporaryDirectory(prefix="daemun-") as folder:
            apart = dataclasses.replace(chosen, state=pathlib.Path(folder))
            assembled = rendering.assemble(apart, desired, binary, last_good={})
            return run(_find_refused(nginx_server.NginxServer(binary, apart.layout), desired, assembled))
    except EnvironmentProblemError:
        return ()
    except DaemunError as error:
        return (_problem(error),)


async def _find_refused(
    nginx: nginx_server.NginxServer, desired: model.Desired, assembled: assembly.Assembled
) -> tuple[model.Problem, ...]:
    staged = await quarantine_staging.stage_with_quarantine(
        nginx,
        assembled.files,
        last_good={},
        unavailable=assembled.unavailable,
        known=assembled.definitions,
    )
    refusals = outcome.refusal_problems(desired, (*assembled.refused, *staged.refused), is_applied=False)
    return (*assembled.problems, *refusals)


def _problem(error: DaemunError) -> model.Problem:
    return model.Problem(origin=model.NOWHERE, message=str(error))
