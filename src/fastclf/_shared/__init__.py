"""What estimators and losses share: checks, arrays, threads, files, progress."""
