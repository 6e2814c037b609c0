"""Numerics: text, models, evaluation, drift. No files, no network, no clock."""
