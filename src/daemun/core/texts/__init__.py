"""Single texts and numbers, without what they are part of: what a host, a path or a header may be (`rules`,
`url_rules`, `header_rules`, `variable_rules`, `patterns`, `path_patterns`, `names`, `quantity_rules`), what was meant
by one that is wrong (`spellings`, `other_tools`), the words of messages (`words`, `durations`, `cures`), and what looks
like a secret in one (`secret_forms`)."""
