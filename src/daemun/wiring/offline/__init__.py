"""What commands do without a daemon: none of it asks one, or touches what runs."""
