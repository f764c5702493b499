"""Comparisons with other packages: ``python -m fastclf.bench``; the parts of it are those of the scripts in bench/."""
