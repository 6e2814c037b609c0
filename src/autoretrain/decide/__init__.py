"""The pure decision core: an observation in, a plan out, a new status folded. Standard library and croniter only."""
