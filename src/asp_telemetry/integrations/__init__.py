"""What connects this package to other people's libraries; each module needs an extra and is imported by whoever uses it."""
