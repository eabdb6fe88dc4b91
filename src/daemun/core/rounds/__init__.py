"""A round from its beginning to its end: snapshots become what is desired (`merge`), that becomes files (`assembly`),
and what nginx refuses becomes an earlier version or a page (`fallbacks`)."""
