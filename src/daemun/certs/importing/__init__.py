"""What other ACME clients left on the disk: read (`certbot`, `acme_sh`, `companion`), explained (`import_advice`) and
taken over (`adopt`). The trees are somebody else's: damaged, half written or hostile ones cost their own items only."""
