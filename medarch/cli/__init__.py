"""The verbs in the shell: parse, call :mod:`medarch.api`, print, exit code. No logic, no torch, no numpy at start."""

from medarch.cli.app import main

__all__ = ["main"]
