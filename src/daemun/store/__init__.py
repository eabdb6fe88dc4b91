"""Keys to bytes: the backends of `control.ports.Store`."""
