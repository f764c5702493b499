"""Backends, which find the neighbours: `protocol` says what a backend does, `registry` lists the classes."""
