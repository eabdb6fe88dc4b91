"""Paths of the dashboard's site that nginx, the API and the process of the pages know. Without options, which that
process has no other use for."""

SIGNED_IN = "/sign-in/account"
"""Whom the judge lets in there is a user of the sign-in, with a session on this host."""
