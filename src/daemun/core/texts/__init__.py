"""Single texts and numbers, without what they are part of: what a host, a path or a header may be (`rules`, `patterns`,
`path_patterns`, `names`, `quantity_rules`), what somebody meant who wrote another (`spellings`, `other_tools`), and the
words of messages (`words`, `durations`, `cures`)."""
