"""What a round is to change (`change_plan`), and the parts of a generation that several others decide with: its files,
its listeners, what sites share, which sites are set aside (`quarantine`)."""
