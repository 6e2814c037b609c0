"""AutoRetrain keeps a spam classifier fresh and safe without anyone watching."""
