"""What can be wrong with a sign-in at an identity provider."""

import enum


class Fault(enum.Enum):
    """AWAY: the provider does not answer, or not as one does. SETTINGS: it refuses what daemun.yaml has of it. REFUSED:
    it does not sign the user in. UNPROVEN: what it sent does not prove who the visitor is."""

    AWAY = "away"
    SETTINGS = "settings"
    REFUSED = "refused"
    UNPROVEN = "unproven"


class ProviderError(Exception):
    """cause: in words of ours that a page may show; nothing of what a provider or a visitor sent."""

    def __init__(self, fault: Fault, cause: str) -> None:
        super().__init__(cause)
        self.fault = fault
        self.cause = cause


CODES = {
    "access_denied": Fault.REFUSED,
    "login_required": Fault.REFUSED,
    "consent_required": Fault.REFUSED,
    "interaction_required": Fault.REFUSED,
    "account_selection_required": Fault.REFUSED,
    "application_suspended": Fault.SETTINGS,
    "redirect_uri_mismatch": Fault.SETTINGS,
    "incorrect_client_credentials": Fault.SETTINGS,
    "invalid_client": Fault.SETTINGS,
    "invalid_request": Fault.SETTINGS,
    "invalid_scope": Fault.SETTINGS,
    "unauthorized_client": Fault.SETTINGS,
    "unsupported_grant_type": Fault.SETTINGS,
    "unsupported_response_type": Fault.SETTINGS,
    "bad_verification_code": Fault.UNPROVEN,
    "invalid_grant": Fault.UNPROVEN,
    "unverified_user_email": Fault.REFUSED,
    "server_error": Fault.AWAY,
    "temporarily_unavailable": Fault.AWAY,
}
"""Of RFC 6749 (4.1.2.1, 5.2), OpenID Connect Core (3.1.2.6), and GitHub ("Troubleshooting authorization request
errors"). Others are shown as "unknown"."""


def from_code(code: object) -> ProviderError:
    """Of what a provider answered as `error`."""
    if isinstance(code, str) and code in CODES:
        return ProviderError(CODES[code], code)
    return ProviderError(Fault.REFUSED, "unknown")
