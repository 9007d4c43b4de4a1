"""What connects this package to other people's libraries; each module imports one only where it is used."""
