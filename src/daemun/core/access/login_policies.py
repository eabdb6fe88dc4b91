"""The policies of all sites that people come into by daemun's own sign-in, and where they sign in. Pure."""

from daemun.core import model
from daemun.core.access import access_levels, judge_policies, login_providers, login_url, login_users
from daemun.core.options import access_option, login_option


def make(access: access_option.Access, place: str) -> judge_policies.LoginPolicy | None:
    """place: of `access_levels.EffectiveAccess`. None: nobody needs to sign in."""
    rule = access.login
    if rule is None:
        return None
    return judge_policies.LoginPolicy(
        name=place,
        users=tuple(sorted(set(rule.users))),
        groups=tuple(sorted(set(rule.groups))),
        emails=tuple(sorted({email.lower() for email in rule.emails})),
    )


def find_policies(desired: model.Desired) -> tuple[judge_policies.LoginPolicy | judge_policies.LoginHost, ...]:
    """What the judge must know before nginx runs what is desired."""
    login = login_option.OPTION.of(desired.globals)
    if login is None:
        return ()
    made = (make(held.access, held.place) for held in access_levels.find_all(desired))
    found = tuple(policy for policy in made if policy is not None)
    hosts = {name for site in desired.enabled if _has_login(site, desired.globals) for name in site.names}
    own_ports = {site.https_port for site in desired.enabled if site.https_port is not None}
    host = judge_policies.LoginHost(
        host=login.host,
        idle_s=login.idle_s,
        lifetime_s=login.lifetime_s,
        hosts=tuple(sorted(hosts)),
        ports=tuple(sorted({address.port for address in desired.globals.listen.https} | own_ports)),
        port=login_url.find_port(desired.globals),
        providers=tuple(login_providers.make(one) for one in login.providers),
    )
    return (*found, host)


def _has_login(site: model.Site, settings: model.Globals) -> bool:
    held = (
        access_levels.of_site(site, settings),
        *(access_levels.of_route(one, site, settings) for one in site.routes),
    )
    return any(one.access.login is not None for one in held)


def admits(policy: judge_policies.LoginPolicy, user: login_users.User) -> bool:
    """Whether a user who signed in may come in."""
    if policy.also is not None and not admits(policy.also, user):
        return False
    if not (policy.users or policy.groups or policy.emails):
        return True
    email = user.email.lower()
    emails = {email, f"*@{email.rpartition('@')[2]}"} if "@" in email else set[str]()
    return user.name in policy.users or bool(set(policy.groups) & set(user.groups)) or bool(emails & set(policy.emails))
