"""The pass and what surrounds it: the same four steps for every shell."""
