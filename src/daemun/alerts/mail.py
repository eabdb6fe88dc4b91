"""Mail, handed to a mail server (RFC 5321, RFC 6409).

aiosmtplib rather than the standard library's smtplib in a thread: a delivery is bounded as a whole and ends with the
daemon (smtplib bounds single reads only, and a thread cannot be cancelled), and it verifies certificates by default.
"""

import asyncio
import base64
import contextlib
import dataclasses
import email.message
import email.policy
import email.utils
import ssl

import aiosmtplib

from daemun import causes, secret
from daemun.alerts import alert_message
from daemun.core.options import alerts_option
from daemun.errors import RetryableError

WITHIN_S = 30.0
"""For all of a delivery. Servers that delay the first line to annoy spammers make some seconds of it."""

_PORTS = {
    alerts_option.MailSecurity.STARTTLS: 587,
    alerts_option.MailSecurity.TLS: 465,
    alerts_option.MailSecurity.NONE: 25,
}
_LONGEST_WORDS = 300
_REFUSED: dict[type[aiosmtplib.SMTPException], str] = {
    aiosmtplib.SMTPAuthenticationError: "user and password",
    aiosmtplib.SMTPSenderRefused: "the sender",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Smtp:
    """Implements `targets.Target`."""

    key: str
    name: str
    mail: alerts_option.Mail

    async def deliver(self, what: alert_message.AlertMessage, context: ssl.SSLContext) -> str | None:
        mail = self.mail
        password = None if mail.password is None else await asyncio.to_thread(secret.read, mail.password)
        client = aiosmtplib.SMTP(
            hostname=mail.server,
            port=mail.port or _PORTS[mail.security],
            username=mail.user,
            password=password,
            use_tls=mail.security is alerts_option.MailSecurity.TLS,
            # True, not None: a server that does not offer it, or somebody between, must not get what is sent in clear.
            start_tls=mail.security is alerts_option.MailSecurity.STARTTLS,
            tls_context=context,
            # RFC 5321 section 4.1.3: an address where there is no full name; some servers refuse short names.
            local_hostname=what.machine if "." in what.machine else "[127.0.0.1]",
            timeout=WITHIN_S,
        )
        where = f"{mail.server} port {client.port}"
        try:
            async with asyncio.timeout(WITHIN_S):
                await client.connect()
                refused, _ = await client.send_message(compose(mail, what))
                with contextlib.suppress(aiosmtplib.SMTPException):  # it is taken; the farewell is politeness
                    await client.quit()
        except TimeoutError:
            raise RetryableError(f"no answer of {where} within {WITHIN_S:g} s; check server and port") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise RetryableError(_explain(error, where, password)) from None
        finally:
            client.close()
        if refused:
            return "; ".join(
                f"{recipient} is refused: {_quote(code, answer, password)}"
                for recipient, (code, answer) in refused.items()
            )
        return None


def compose(mail: alerts_option.Mail, what: alert_message.AlertMessage) -> email.message.EmailMessage:
    """Text in UTF-8. Pure, but for its Message-ID."""
    made = email.message.EmailMessage(policy=email.policy.SMTP)
    made["From"] = mail.sender
    made["To"] = ", ".join(mail.recipients)
    made["Subject"] = " ".join(f"[daemun on {what.machine}] {what.headline}".split())
    made["Date"] = email.utils.format_datetime(what.at)
    made["Message-ID"] = email.utils.make_msgid(domain=mail.sender.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    made.set_content(what.text, cte="quoted-printable")
    return made


def _explain(error: Exception, where: str, password: str | None) -> str:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        each = (f"{one.recipient} ({_quote(one.code, one.message, password)})" for one in error.recipients)
        return f"{where} refuses every recipient: {', '.join(each)}"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        what = _REFUSED.get(type(error), "the message")
        return f"{where} refuses {what}: {_quote(error.code, error.message, password)}"
    words = causes.find_words(error)
    if words is not None:
        return f"no connection to {where}: {words}; check server, port and security"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return f"{where} closed the connection; check port and security"
    if isinstance(error, aiosmtplib.SMTPException):
        return f"{where}: {_clean(error.message, password)}; check `security` and `user`"
    return f"{where} cannot be used ({type(error).__name__})"


def _quote(code: int, answer: str, password: str | None) -> str:
    return f"{code} {_clean(answer, password)}"


def _clean(text: str, password: str | None) -> str:
    """A server's words on one line, not too long, and without the password, should it repeat that."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if password:
        line = line.replace(password, "…").replace(base64.b64encode(password.encode()).decode(), "…")
    return line if len(line) <= _LONGEST_WORDS else line[:_LONGEST_WORDS] + "…"
