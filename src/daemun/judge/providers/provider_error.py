"""What can be wrong with a sign-in at an identity provider."""

import enum


class ProviderFault(enum.Enum):
    """AWAY: the provider does not answer, or not as one does. SETTINGS: it refuses what daemun.yaml has of it. REFUSED:
    it does not sign the user in. UNPROVEN: what it sent does not prove who the visitor is."""

    AWAY = "away"
    SETTINGS = "settings"
    REFUSED = "refused"
    UNPROVEN = "unproven"


class ProviderError(Exception):
    """cause: in words of ours that a page may show; nothing of what a provider or a visitor sent."""

    def __init__(self, fault: ProviderFault, cause: str) -> None:
        super().__init__(cause)
        self.fault = fault
        self.cause = cause


CODES = {
    "access_denied": ProviderFault.REFUSED,
    "login_required": ProviderFault.REFUSED,
    "consent_required": ProviderFault.REFUSED,
    "interaction_required": ProviderFault.REFUSED,
    "account_selection_required": ProviderFault.REFUSED,
    "application_suspended": ProviderFault.SETTINGS,
    "redirect_uri_mismatch": ProviderFault.SETTINGS,
    "incorrect_client_credentials": ProviderFault.SETTINGS,
    "invalid_client": ProviderFault.SETTINGS,
    "invalid_request": ProviderFault.SETTINGS,
    "invalid_scope": ProviderFault.SETTINGS,
    "unauthorized_client": ProviderFault.SETTINGS,
    "unsupported_grant_type": ProviderFault.SETTINGS,
    "unsupported_response_type": ProviderFault.SETTINGS,
    "bad_verification_code": ProviderFault.UNPROVEN,
    "invalid_grant": ProviderFault.UNPROVEN,
    "unverified_user_email": ProviderFault.REFUSED,
    "server_error": ProviderFault.AWAY,
    "temporarily_unavailable": ProviderFault.AWAY,
}
"""Of RFC 6749 (4.1.2.1, 5.2), OpenID Connect Core (3.1.2.6), and GitHub ("Troubleshooting authorization request
errors"). Others are shown as "unknown"."""


def from_code(code: object) -> ProviderError:
    """Of what a provider answered as `error`."""
    if isinstance(code, str) and code in CODES:
        return ProviderError(CODES[code], code)
    return ProviderError(ProviderFault.REFUSED, "unknown")
