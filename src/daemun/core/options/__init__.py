"""The options of daemun.yaml, one module for each, or for a group that only makes sense together.

A module declares everything about its option: the key, the value and its form, the default, the meaning in one line,
where it may stand, whether a container's label may set it, its rule, and its lines of nginx where those stand for
themselves. `catalogue` lists the options; readers, suggestions, rules, the renderer, the tables of the documentation
and the JSON Schema go through that list. `option` is what a declaration is made of, `forms` how values are written.
"""
