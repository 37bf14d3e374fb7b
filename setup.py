"""The packages: those found under hlx/, and hlx.kernels, whose folder is mapped in pyproject.toml."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["hlx", "hlx.*"]), "hlx.kernels"])
