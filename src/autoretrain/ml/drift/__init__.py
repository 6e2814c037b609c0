"""Drift of unlabelled windows against a champion's frozen references, calibrated by what no drift looks like."""
