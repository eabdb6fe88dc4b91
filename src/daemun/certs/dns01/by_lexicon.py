"""Records through the API of a DNS provider that dns-lexicon knows.

`lexicon.client.Client` is not used, on purpose: it guesses a record's zone from the Public Suffix List, which it
fetches from the internet, where `lookup` has found it in DNS. What is used of it, the providers' classes, has been the
same since the library's third version.
"""

import collections.abc
import importlib
import re
import threading
import typing
import urllib.parse

from daemun import causes, dns_providers, errors
from daemun.certs.dns01 import txt_records
from daemun.core.texts import words

TIMEOUT_S = 120.0
"""The library waits for answers as long as it takes."""
_LONGEST_CAUSE = 300
_QUERY = re.compile(r"\?[^\s'\")]*")

_CURES = {
    401: "the provider does not accept the key or password; correct the options of `acme.dns`",
    403: "the key may not do this; give it the right to read zones and to change DNS records",
    404: "check that the zone is at this provider, in this account",
    429: "the provider asks for fewer requests; nothing to do, daemun tries again by itself",
}


class Lexicon:
    """provider: as dns-lexicon calls it. options: as `lexicon PROVIDER --help` lists them, with _ for -."""

    def __init__(self, provider: str, options: dict[str, str]) -> None:
        self._provider = provider
        self._options = options

    def create(self, record: txt_records.Record) -> None:
        self._change("create_record", record)

    def remove(self, record: txt_records.Record) -> None:
        self._change("delete_record", record)

    def _change(self, verb: str, record: txt_records.Record) -> None:
        def work() -> None:
            api = self._open(record.zone)
            try:
                api.authenticate()
                # Names are the same in all providers' methods; only delete_record has one more in front.
                done = getattr(api, verb)(rtype=record.kind, name=record.name, content=record.value)
            finally:
                api.cleanup()
            if done is False:
                raise RuntimeError("the provider says that it was not done")

        done = "make" if verb == "create_record" else "remove"
        failed = f'cannot {done} the record {record.name} in the zone "{record.zone}" through {self._provider}'
        try:
            _bounded(work, name=f"lexicon {self._provider}")
        except TimeoutError:
            raise errors.RetryableError(
                f"{failed}: its API does not answer within {TIMEOUT_S:.0f} s; check this machine's way to the internet"
            ) from None
        except errors.DaemunError:
            raise
        except (Exception, SystemExit) as error:
            # Without `from`: the library's errors hold requests, and these hold keys.
            raise errors.RetryableError(f"{failed}: {self._explain(error)}") from None

    def _open(self, zone: str) -> typing.Any:
        if self._provider not in dns_providers.find_providers():
            raise errors.ConfigError(
                f"cannot use the DNS provider {words.quoted(self._provider)}: dns-lexicon does not know it; "
                "`daemun check` names those it knows"
            )
        missing = dns_providers.find_missing_package(self._provider)
        if missing is not None:
            raise errors.ConfigError(
                f"cannot use the DNS provider {self._provider}: the package {missing} is missing; "
                f'install it beside daemun: pip install "dns-lexicon[{self._provider}]"'
            )
        module = importlib.import_module(f"lexicon._private.providers.{self._provider}")
        from lexicon import config  # noqa: PLC0415

        general = {name: self._options[name] for name in dns_providers.GENERAL_OPTIONS if name in self._options}
        # Some look for the zone among their own options.
        own = {"domain": zone, **self._options}
        options = {**general, "provider_name": self._provider, "domain": zone, self._provider: own}
        resolver: typing.Any = config.ConfigResolver  # without types
        return module.Provider(resolver().with_dict(options))

    def _explain(self, error: BaseException) -> str:
        """The library's words without secrets, and what to do."""
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int):
            body = self._clean(getattr(response, "text", "") or "")
            detail = f" ({body})" if body else ""
            return f"its API answers HTTP {status}{detail}; {_CURES.get(status, 'see what it says')}"
        if isinstance(error, OSError):  # as requests' errors of the network are
            cause = causes.find_words(error) or type(error).__name__
            return f"its API cannot be reached ({cause}); check this machine's way to the internet"
        cause = self._clean(str(error)) or type(error).__name__
        if isinstance(error, (AttributeError, TypeError, KeyError)):  # what its classes do without what they need
            options = dns_providers.find_options(self._provider)
            expected = f" (it knows {words.listed(options, last='and')})" if options else ""
            return f"it fails with {type(error).__name__}, {cause}; check that no option is missing{expected}"
        return f"{cause}; check the options of `acme.dns`, and that the zone is at this provider, in this account"

    def _clean(self, text: str) -> str:
        """On one line, not too long, and without anything that was given as an option or that stands in a URL's
        query."""
        for value in sorted(self._options.values(), key=len, reverse=True):
            for form in (value, urllib.parse.quote(value), urllib.parse.quote_plus(value)):
                text = text.replace(form, "***") if len(form) > 3 else text
        line = " ".join("".join(char if char.isprintable() else " " for char in _QUERY.sub("?…", text)).split())
        return line if len(line) <= _LONGEST_CAUSE else f"{line[:_LONGEST_CAUSE]}…"


def _bounded(work: collections.abc.Callable[[], None], *, name: str) -> None:
    """Run it in a thread for TIMEOUT_S at most; what takes longer is left alone. Raises: TimeoutError, or as work."""
    raised: list[BaseException] = []

    def body() -> None:
        try:
            work()
        except BaseException as error:  # handed on, whatever it is
            raised.append(error)

    thread = threading.Thread(target=body, name=name, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]
