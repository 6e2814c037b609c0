"""Alembic's scripts. Each version file changes the tables once, forwards: first expand, contract a release later."""
