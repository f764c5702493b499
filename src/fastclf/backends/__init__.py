"""What can find the neighbours: `protocol` says what that is, `registry` has the classes that are."""
