"""The whole tree of files for a desired state, in which a site that cannot be rendered hurts no other. Pure."""

import collections.abc
import dataclasses

from daemun.core import model, plan, quarantine, validate
from daemun.core.render import environment, render
from daemun.errors import RenderError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """files: what nginx is to run. unavailable: path -> 503 version of each site's file.

    refused: the sites that could not be rendered; `files` holds their last good or 503 version.
    problems: what else deserves a look.
    """

    files: dict[str, bytes]
    unavailable: dict[str, bytes]
    refused: tuple[quarantine.Refused, ...] = ()
    problems: tuple[model.Problem, ...] = ()


def assemble_files(
    desired: model.Desired, env: environment.Environment, *, last_good: collections.abc.Mapping[str, bytes]
) -> Assembled:
    """Render every enabled site, and what stands in for those that cannot be.

    last_good: the tree nginx runs now. Raises: RenderError when what concerns all sites cannot be rendered.
    """
    unsupported = validate.find_unsupported_globals(desired.globals, env.nginx.features)
    if unsupported:
        raise RenderError("; ".join(problem.message for problem in unsupported))
    unavailable = {
        plan.site_file(site.host): render.render_unavailable(site, env, settings=desired.globals)
        for site in desired.enabled
    }
    refused = _find_unsupported(desired, env)
    try:
        files = render.render_files(_without(desired, refused), env)
    except RenderError:
        refused |= _find_unrenderable(_without(desired, refused), env)
        files = render.render_files(_without(desired, refused), env)
    for path in refused:
        files[path] = last_good.get(path, unavailable[path])
    return Assembled(
        files=files,
        unavailable=unavailable,
        refused=tuple(quarantine.Refused(path=path, reason=reason) for path, reason in refused.items()),
        problems=validate.find_waiting_for_restart(env),
    )


def _find_unsupported(desired: model.Desired, env: environment.Environment) -> dict[str, str]:
    """Sites that ask for what this nginx cannot do: path -> reason."""
    found: dict[str, str] = {}
    for site in desired.enabled:
        problems = validate.find_unsupported(site, env.nginx.features)
        if problems:
            found[plan.site_file(site.host)] = "; ".join(problem.message for problem in problems)
    return found


def _find_unrenderable(desired: model.Desired, env: environment.Environment) -> dict[str, str]:
    found: dict[str, str] = {}
    for site in desired.enabled:
        try:
            render.render_files(dataclasses.replace(desired, sites=(site,)), env)
        except RenderError as error:
            found[plan.site_file(site.host)] = str(error)
    return found


def _without(desired: model.Desired, refused: collections.abc.Mapping[str, str]) -> model.Desired:
    kept = tuple(site for site in desired.sites if plan.site_file(site.host) not in refused)
    return dataclasses.replace(desired, sites=kept)
