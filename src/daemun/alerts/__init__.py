"""Tells people, or their machines, that a certificate is in danger, and that it is over: webhooks, ntfy, mail."""
