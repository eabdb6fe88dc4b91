"""Which certificate a site shows (`certificate_choice`), what is wrong with it, when it is renewed next, and names that
are added on demand."""
