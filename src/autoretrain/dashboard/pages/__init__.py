"""One module a page: what it draws. What it draws is read in `queries`."""
