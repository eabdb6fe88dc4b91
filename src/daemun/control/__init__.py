"""The loop, and what it needs from the outside world.

reconciler     one round: read the sources, merge, plan, make it so
switcher       from what is desired to what nginx runs (quarantine_staging: one bad file is replaced)
gate           rounds one after another, and what people want to know of them (gate_port, diagnosis)
lifecycle      the first round, background tasks, signals, the end (supervisor: owner of every task)
reload_limiter old workers within their budget (draining)
ports          the contracts of adapters; those of one area are modules of their own (nginx_port, certificate_port, ...)
"""
