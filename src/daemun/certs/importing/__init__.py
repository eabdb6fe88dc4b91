"""What other ACME clients left on the disk: read (`certbot`, `acme_sh`, `companion`), explained (`import_advice`) and
taken over (`adopt`). Other programs wrote the trees: damaged, half written or hostile ones cost their own items
only."""
