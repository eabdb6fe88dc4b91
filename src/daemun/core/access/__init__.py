"""Who may come in: which access holds where (`access_levels`), what a source may add to another's (`added_access`), and
what the judge is given to decide by."""
