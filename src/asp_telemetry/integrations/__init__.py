"""Holds what connects this package to other libraries; each is imported by who uses it."""
