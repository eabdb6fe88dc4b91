"""What is looked at before an order, and what it means: facts in, findings out. Pure.

A finding blocks only when a CA that browsers trust would fail for sure: a wrong alarm would keep a name without a
certificate. A private CA may see other names and other ways than this machine, so nothing blocks an order there but a
clock that is wrong.
"""
