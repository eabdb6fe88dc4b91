"""Identity providers as clients use them: OpenID Connect Core 1.0, and GitHub's OAuth 2. Nothing of pages and sessions.

provider_error      what can be wrong, in words that a page may show
provider_requests   HTTP to a provider, bounded in time, length, and where it may lead
pending_sign_ins    who was sent to a provider and has not come back; no I/O
oidc_metadata       a provider's discovery document and its keys
id_tokens           whether an ID token proves who the visitor is; no I/O, and slow to import (joserfc)
oidc_provider       a provider of OpenID Connect: the way there, and who comes back
github_provider     the same of GitHub
provider_roots      certificates of private authorities
provider_trial      whether a provider can be used, for `daemun doctor`
provider_warm_up    imports what is imported late, before the process gives up its rights
"""
