"""Who may come in: which access holds where (`access_levels`), what a source may add to another's (`added_access`),
what the judge is given to decide by (`judge_policies`), and daemun's own sign-in: its site, policies and users."""
