"""Messages to people, or to their machines, when something is in danger, and when that is over.

alert_targets  one target for each entry under `alerts`: webhooks (with ntfy), mail
alert_message  what is sent, and its JSON form; pure
gate_facts     looks at disks, old workers, nginx and failed requests, of which `core.alerts` finds what is in danger
notifier       sends what a target does not know yet (`core.alerts` decides)
ledger_store   what was sent, in the store, so that a restart sends nothing twice
"""
